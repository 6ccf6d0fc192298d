"""Which language model an agent gets, and which key goes where."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.chat import ChatSettings
from ringback.agents.plan import ChatPlan, GraphPlan, OtherModel, SpeechPart
from ringback.app.providers import Providers, UnknownProvider, UnknownVoice
from ringback.app.settings import Settings, SettingsError, SpeechSettings
from ringback.llm.fallback import FallbackChat
from ringback.llm.openai_compatible import OpenAICompatible

OWN = "http://own.example/v1"
SECOND = "http://second.example/v1"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_CONFIG", "")


def providers(**llm: Any) -> Providers:
    return Providers(Settings(llm={"base_url": OWN, "api_key": "own-key", **llm}))


def plan(
    base_url: str | None = None, fallback: OtherModel | None = None, provider: str = "openai"
) -> ChatPlan:
    return ChatPlan(provider, ChatSettings("big"), base_url, fallback=fallback)


def where(chat: object) -> tuple[str, str, str]:
    """Provider, endpoint and key."""
    assert isinstance(chat, OpenAICompatible)
    return chat.provider, str(chat._client.base_url), chat._client.api_key


def both(chat: object) -> list[tuple[str, str, str]]:
    assert isinstance(chat, FallbackChat)
    return [where(chat._first), where(chat._second)]


@pytest.mark.parametrize(("named", "key"), [(None, "own-key"), (OWN, "own-key"), ("http://h/v1", "none")])
def test_the_installations_key_stays_at_its_endpoint(named: str | None, key: str) -> None:
    assert where(providers().chat(plan(named))) == ("openai", f"{named or OWN}/", key)


def test_a_scripted_graph_needs_none_and_another_one_does() -> None:
    assert providers().chat(GraphPlan("scripted", "a", {})) is None
    assert where(providers().chat(GraphPlan("groq", "a", {}, chat=ChatSettings("big"))))[0] == "groq"


def test_one_client_an_endpoint() -> None:
    known = providers(fallback_model="small")
    assert known.chat(plan()) is known.chat(plan())
    chat = known.chat(plan("http://h/v1"))
    assert chat is known.chat(plan("http://h/v1"))
    assert chat is not known.chat(plan())


def test_the_installations_fallback_is_for_its_own_endpoint() -> None:
    known = providers(
        fallback_model="small",
        fallback_provider="groq",
        fallback_base_url=SECOND,
        fallback_api_key="second-key",
    )
    expected = [("openai", f"{OWN}/", "own-key"), ("groq", f"{SECOND}/", "second-key")]
    assert both(known.chat(plan())) == expected
    assert both(known.chat(plan(OWN))) == expected
    # Nobody said that these callers' words may go anywhere else.
    assert where(known.chat(plan("http://h/v1"))) == ("openai", "http://h/v1/", "none")


def test_a_fallback_at_the_same_endpoint() -> None:
    chat = providers(fallback_model="small").chat(plan())
    assert both(chat) == [("openai", f"{OWN}/", "own-key")] * 2


def test_an_agents_own_fallback_wins_and_gets_no_foreign_key() -> None:
    known = providers(fallback_model="small", fallback_base_url=SECOND, fallback_api_key="second-key")
    named = OtherModel("ollama", "tiny", "http://h/v1")
    assert both(known.chat(plan(fallback=named))) == [
        ("openai", f"{OWN}/", "own-key"),
        ("ollama", "http://h/v1/", "none"),
    ]


@pytest.mark.parametrize(
    "bad", [plan(provider="parrot"), plan(fallback=OtherModel("parrot", "x"))], ids=["first", "fallback"]
)
def test_a_provider_without_an_adapter(bad: ChatPlan) -> None:
    with pytest.raises(UnknownProvider, match='language model "parrot"'):
        providers().chat(bad)


def test_functions_have_one_runner() -> None:
    known = providers()
    assert known.tools is known.tools


def test_a_bad_network_is_named() -> None:
    with pytest.raises(SettingsError, match=r'outbound\.allow: "10\.0\.0\.0/99"'):
        Providers(Settings(outbound={"allow": ["10.0.0.0/99"]}))


def test_a_voice_that_there_is_not_is_refused_before_anybody_is_dialled() -> None:
    """Another server's voices are not known here."""
    with pytest.raises(UnknownVoice, match='no voice "nobody"; it has "heart"'):
        providers().synthesizer(SpeechPart("local", voice="nobody"))
    assert providers().synthesizer(SpeechPart("local", voice="heart"))
    other = Providers(Settings(speech=SpeechSettings(synthesizer_uri="tcp://127.0.0.1:10200")))
    assert other.synthesizer(SpeechPart("wyoming", voice="nobody"))
