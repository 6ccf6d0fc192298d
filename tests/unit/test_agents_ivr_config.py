"""`ivr_config` of a number: what is taken, what is refused, and where the fault is."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.ivr_config import IvrConfig
from ringback.agents.validation import InvalidInput, check

MENU = {
    "step_id": "language",
    "type": "menu",
    "prompt": "Press 1 for English or 2 for Hindi.",
    "field_name": "language",
    "options": [
        {"digit": "1", "label": "English", "agent_id": "a-en"},
        {"digit": "2", "label": "Hindi", "agent_id": "a-hi", "context_label": "speaks Hindi"},
    ],
    "conditional_next": {"2": "account"},
}
ACCOUNT = {"step_id": "account", "type": "collect", "prompt": "Your number?", "num_digits": 4}


def config(*steps: dict[str, Any], **fields: Any) -> IvrConfig:
    return check(IvrConfig, {"steps": list(steps) or [MENU, ACCOUNT], **fields})


def refused(*steps: dict[str, Any], **fields: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refusal:
        config(*steps, **fields)
    return {problem.path: problem.message for problem in refusal.value.problems}


def test_defaults_are_those_of_the_contract() -> None:
    read = config()
    assert (read.enabled, read.voice, read.timeout, read.max_retries) == (False, "Polly.Joanna", 5, 2)
    assert (read.welcome_message, read.default_agent_id) == ("", None)
    account = read.step("account")
    assert (account.field, account.fewest, account.most, account.finish_on_key) == ("account", 4, 4, "#")


def test_what_was_sent_comes_back_with_its_defaults_and_unknown_keys() -> None:
    read = config(enabled=True, note="ours")
    stored = read.model_dump(mode="json")
    assert stored["note"] == "ours"
    assert stored["steps"][0]["options"][0]["agent_id"] == "a-en"
    assert check(IvrConfig, stored) == read


def test_all_agents_that_it_may_lead_to() -> None:
    assert config(default_agent_id="a-0").agent_ids == {"a-0", "a-en", "a-hi"}
    assert config(ACCOUNT).agent_ids == set()


def test_where_a_step_leads() -> None:
    menu = config().step("language")
    assert (menu.following("2"), menu.following("1")) == ("account", None)
    assert config(MENU | {"next_step": "account"}, ACCOUNT).step("language").following("1") == "account"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"options": [], "conditional_next": None}, "steps[0].options"),
        ({"options": [{"digit": "12"}]}, "steps[0].options[0].digit"),
        ({"options": [{"digit": "2"}, {"digit": "2"}]}, "steps[0].options[1].digit"),
        ({"conditional_next": {"9": "account"}}, "steps[0].conditional_next.9"),
        ({"conditional_next": {"1": "nowhere"}}, "steps[0].conditional_next.1"),
        ({"next_step": "nowhere"}, "steps[0].next_step"),
        ({"type": "speech"}, "steps[0].type"),
        ({"prompt": ""}, "steps[0].prompt"),
        ({"step_id": "account"}, "steps[1].step_id"),
        (
            {"type": "collect", "conditional_next": None, "min_digits": 5, "max_digits": 4},
            "steps[0].max_digits",
        ),
        ({"type": "collect", "conditional_next": None, "finish_on_key": "##"}, "steps[0].finish_on_key"),
        ({"type": "collect", "conditional_next": None, "num_digits": 0}, "steps[0].num_digits"),
    ],
)
def test_a_bad_step_is_named(change: dict[str, Any], path: str) -> None:
    problems = refused(MENU | change, ACCOUNT)
    assert list(problems) == [path]
    assert problems[path].startswith(path)


@pytest.mark.parametrize(
    ("fields", "path"),
    [({"timeout": 0}, "timeout"), ({"max_retries": 11}, "max_retries"), ({"enabled": "yes"}, "enabled")],
)
def test_a_bad_field_is_named(fields: dict[str, Any], path: str) -> None:
    assert list(refused(**fields)) == [path]


def test_steps_are_required() -> None:
    with pytest.raises(InvalidInput, match="steps is required"):
        check(IvrConfig, {"enabled": True})
    with pytest.raises(InvalidInput, match=r"steps must hold at least 1 item"):
        check(IvrConfig, {"steps": []})
