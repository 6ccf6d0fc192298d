"""The agent presses keys: by its language model or on the way through a graph."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from ringback.agents.api_tools import ApiTools
from ringback.agents.chat import ChatSettings, ToolCall
from ringback.agents.compile_tools import compile_tools
from ringback.agents.plan import (
    Always,
    Anything,
    ChatPlan,
    Edge,
    GraphPlan,
    Node,
    Plan,
    SpeechPart,
    TalkSettings,
)
from ringback.agents.tools import PressDigits, Tool
from ringback.agents.validation import check
from ringback.conversation.actions import (
    Action,
    AddTurn,
    FlushVoice,
    Log,
    PressKeys,
    Speak,
    StartReply,
    Transcribe,
)
from ringback.conversation.conversation import dialogue_of
from ringback.conversation.core.core import ConversationCore
from ringback.conversation.events import (
    Answered,
    ReplyDone,
    ReplyText,
    SpeechStarted,
    SpeechStopped,
    Timer,
    TimerFired,
    Transcribed,
    UtteranceFinished,
    UtteranceStarted,
)

CHAT = ChatPlan("m", ChatSettings("m"))


def tools(*listed: dict[str, Any], **params: Any) -> dict[str, Tool]:
    compiled, notes = compile_tools(
        check(ApiTools, {"tools": list(listed), "tools_params": params}), "en", None
    )
    assert notes == []
    return compiled


KEYS = {"name": "keys", "key": "press_digits"}
FIXED = {"name": "press_one", "key": "press_digits", "description": "Press 1."}


def test_the_model_is_asked_for_the_digits() -> None:
    [keys] = tools(KEYS).values()
    assert isinstance(keys, PressDigits)
    assert keys.spec.parameters["required"] == ["digits"]
    assert set(keys.spec.parameters["properties"]) == {"digits"}
    assert "keypad" in keys.spec.description


def test_digits_may_be_fixed_and_then_nothing_is_asked() -> None:
    [keys] = tools(
        FIXED, press_one={"param": {"digits": "1w%(pin)s"}, "scope": "node", "nodes": ["a"]}
    ).values()
    assert isinstance(keys, PressDigits)
    assert (keys.digits, keys.nodes) == ("1w%(pin)s", frozenset({"a"}))
    assert "digits" not in keys.spec.parameters["properties"]


def call(dialogue: ChatPlan | GraphPlan, functions: dict[str, Tool]) -> ConversationCore:
    part = SpeechPart("local")
    plan = Plan("a", "b", "", part, part, dialogue, TalkSettings(), functions)
    variables = {"pin": 47}
    core = ConversationCore(plan, dialogue_of(plan, variables, date(2026, 11, 30)), variables)
    core.handle(Answered(), 0.0)
    return core


def heard(core: ConversationCore, text: str) -> list[Action]:
    core.handle(TimerFired(Timer.WELCOME), 0.0)
    core.handle(SpeechStarted(1.0), 1.1)
    (request,) = [a.request for a in core.handle(SpeechStopped(2.0), 2.2) if isinstance(a, Transcribe)]
    done = core.handle(Transcribed(request, text), 2.4)
    return done + core.handle(TimerFired(Timer.ENDPOINT), 9.0)


@pytest.mark.parametrize(
    ("digits", "pressed"), [("2", "2"), ("1, 2-3", "1w23"), ("*9#", "*9#"), (417, "417")]
)
def test_what_the_model_wants_is_pressed_and_then_it_listens(digits: Any, pressed: str) -> None:
    core = call(CHAT, tools(KEYS))
    (asked,) = [a for a in heard(core, "for sales press two") if isinstance(a, StartReply)]
    done = core.handle(ReplyDone(asked.reply, (ToolCall("c", "keys", {"digits": digits}),)), 10.0)
    assert PressKeys(pressed) in done
    assert not any(isinstance(a, StartReply | Speak) for a in done)
    assert any(isinstance(a, Log) and a.entry.data == f"keys: pressed {pressed}" for a in done)


def test_keys_that_were_pressed_are_not_taken_back_with_the_words_beside_them() -> None:
    core = call(CHAT, tools(KEYS))
    (asked,) = [a for a in heard(core, "press two") if isinstance(a, StartReply)]
    core.handle(ReplyText(asked.reply, "I press it."), 9.9)
    done = core.handle(ReplyDone(asked.reply, (ToolCall("c", "keys", {"digits": "2"}),)), 10.0)
    assert any(isinstance(a, AddTurn) and a.turn.text == "press two" for a in done)
    assert not any(isinstance(a, FlushVoice) for a in core.handle(SpeechStarted(10.0), 10.1))


@pytest.mark.parametrize("digits", ["", "two", None, "1" * 101])
def test_what_cannot_be_pressed_is_told_to_the_model(digits: Any) -> None:
    core = call(CHAT, tools(KEYS))
    (asked,) = [a for a in heard(core, "press two") if isinstance(a, StartReply)]
    done = core.handle(ReplyDone(asked.reply, (ToolCall("c", "keys", {"digits": digits}),)), 10.0)
    (again,) = [a.ask for a in done if isinstance(a, StartReply)]
    assert again.messages[-1].content.startswith("Nothing was pressed")
    assert not any(isinstance(a, PressKeys) for a in done)


def test_a_node_presses_when_it_is_entered() -> None:
    ask = Node("ask", "static", "Hello?", edges=(Edge("press", Anything()),))
    press = Node("press", "static", "One moment.", edges=(Edge("wait", Always()),), function="press_one")
    wait = Node("wait", "static", "I wait.", edges=(Edge("ask", Anything()),))
    graph = GraphPlan("scripted", "ask", {node.id: node for node in (ask, press, wait)})
    core = call(graph, tools(FIXED, press_one={"param": {"digits": "1w%(pin)s#"}}))
    core.handle(TimerFired(Timer.WELCOME), 0.0)
    core.handle(UtteranceStarted(1), 0.1)
    core.handle(UtteranceFinished(1), 0.5)
    done = heard(core, "press one")
    assert PressKeys("1w47#") in done
