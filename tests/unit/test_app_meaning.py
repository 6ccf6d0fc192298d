"""Which language model is asked about a call, and under which name."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.aftercall.models import NoModel
from ringback.agents.chat import ChatSettings
from ringback.agents.compile_followup import LEAST_TOKENS
from ringback.agents.disposition import DEFAULT_MODEL
from ringback.agents.plan import ChatPlan
from ringback.app.meaning import ChatModels
from ringback.app.providers import PATIENT_FIRST_TOKEN_S, PATIENT_TOTAL_S, Providers
from ringback.app.settings import Settings
from ringback.llm.openai_compatible import OpenAICompatible

LOCAL = "http://127.0.0.1:11434/v1"
EXTRA = {"reasoning_effort": "low"}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_CONFIG", "")


def models(**llm: Any) -> ChatModels:
    return ChatModels(Providers(Settings(llm=llm)))


def plan(base_url: str | None = None, provider: str = "openai") -> ChatPlan:
    return ChatPlan(provider, ChatSettings("own", 9000, extra=EXTRA), base_url)


def asked(known: ChatModels, plan: ChatPlan | None, name: str | None = None) -> tuple[str, str]:
    """Endpoint and model."""
    model = known.of(plan, name)
    assert model is not None
    assert isinstance(model.chat, OpenAICompatible)
    return str(model.chat._client.base_url), model.settings.model


OPENAI = "https://api.openai.com/v1/"


@pytest.mark.parametrize(
    ("base_url", "name", "expected"),
    [
        (None, None, (OPENAI, "own")),
        (None, DEFAULT_MODEL, (OPENAI, DEFAULT_MODEL)),
        (OPENAI, DEFAULT_MODEL, (OPENAI, DEFAULT_MODEL)),
        (None, "gpt-4.1", (OPENAI, "gpt-4.1")),
        (LOCAL, None, (LOCAL + "/", "own")),
        (LOCAL, DEFAULT_MODEL, (LOCAL + "/", "own")),  # nobody chose it, and nobody has it there
        (LOCAL, "other", (LOCAL + "/", "other")),
    ],
)
def test_names(base_url: str | None, name: str | None, expected: tuple[str, str]) -> None:
    assert asked(models(api_key="k"), plan(base_url), name) == expected


def test_an_agent_without_a_language_model_asks_the_installations() -> None:
    assert asked(models(api_key="k"), None, DEFAULT_MODEL) == (OPENAI, DEFAULT_MODEL)
    assert asked(models(base_url=LOCAL), None, DEFAULT_MODEL) == (LOCAL + "/", DEFAULT_MODEL)
    assert asked(models(base_url=LOCAL, model="house"), None, DEFAULT_MODEL) == (LOCAL + "/", "house")
    assert asked(models(base_url=LOCAL, model="house"), None, "other") == (LOCAL + "/", "other")


def test_where_nobody_can_be_asked() -> None:
    assert models().of(None, DEFAULT_MODEL) is None
    assert models().of(plan()) is None
    assert models(api_key="k").of(plan(provider="scripted")) is None
    assert models().of(plan(LOCAL)) is not None
    with pytest.raises(NoModel, match='language model "parrot"'):
        models().of(plan(LOCAL, "parrot"))


def test_settings_of_one_model_are_not_those_of_another() -> None:
    own, other = models().of(plan(LOCAL)), models().of(plan(LOCAL), "other")
    assert own is not None
    assert other is not None
    assert (own.settings.extra, own.settings.max_tokens) == (EXTRA, 9000)
    assert (other.settings.extra, other.settings.max_tokens) == ({}, LEAST_TOKENS)


def test_nobody_waits_on_the_telephone() -> None:
    known = Providers(Settings(llm={"base_url": LOCAL, "total_timeout_s": 200}))
    talking, after = known.chat(plan()), known.chat(plan(), waiting=False)
    assert isinstance(talking, OpenAICompatible)
    assert isinstance(after, OpenAICompatible)
    assert (talking._first_token_timeout_s, after._first_token_timeout_s) == (8.0, PATIENT_FIRST_TOKEN_S)
    assert after._total_timeout_s == 200 > PATIENT_TOTAL_S
    assert known.chat(plan(), waiting=False) is after
