"""Estimated token counts."""

from __future__ import annotations

from ringback.agents.chat import Ask, ChatMessage, ChatSettings, ToolCall, ToolSpec
from ringback.agents.tokens import estimated_usage

ASK = Ask((ChatMessage("user", "x" * 400),), ChatSettings("m"))


def test_a_quarter_of_the_bytes_and_what_frames_a_message() -> None:
    usage = estimated_usage(ASK, "y" * 100, "y" * 100, provider="p", model="m")
    assert (usage.input_tokens, usage.output_tokens) == (104, 50)
    assert (usage.provider, usage.model, usage.estimated) == ("p", "m", True)


def test_letters_of_three_bytes_count_more() -> None:
    assert estimated_usage(ASK, "नमस्ते").output_tokens > estimated_usage(ASK, "namast").output_tokens


def test_functions_and_calls_count() -> None:
    call = ToolCall("c", "slots", {"day": "Monday"})
    asked = Ask(
        (*ASK.messages, ChatMessage("assistant", "", (call,)), ChatMessage("tool", "none", call_id="c")),
        ASK.settings,
        tools=(ToolSpec("slots", "Free times", {"type": "object"}),),
    )
    usage = estimated_usage(asked, call)
    assert usage.input_tokens > estimated_usage(ASK).input_tokens + 12
    assert usage.output_tokens > 4


def test_nothing_said_costs_what_was_asked() -> None:
    assert estimated_usage(ASK).output_tokens == 0
