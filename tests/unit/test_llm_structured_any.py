"""Whatever a language model answers, what comes of it is of the schema, or nothing and why."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from ringback.agents.answer_schema import asked
from ringback.agents.chat import (
    Ask,
    ChatError,
    ChatPiece,
    ChatReasoning,
    ChatSettings,
    ChatText,
    ChatUnavailable,
    ChatUsage,
)
from ringback.llm.json_schema import problem
from ringback.llm.structured import Answer, Model, ask

SCHEMA = asked({"type": "object", "properties": {"a": {"type": "number"}, "b": {"enum": ["x", "y"]}}})


@dataclass
class Scripted:
    """Says these pieces, an answer after the other; the last one again and again."""

    answers: list[list[ChatPiece | ChatError]]
    asks: list[Ask] = field(default_factory=list)
    provider: str = "scripted"

    async def stream(self, question: Ask) -> AsyncIterator[ChatPiece]:
        self.asks.append(question)
        for piece in self.answers[min(len(self.asks), len(self.answers)) - 1]:
            if isinstance(piece, ChatError):
                raise piece
            yield piece


def put(*answers: list[ChatPiece | ChatError]) -> tuple[Answer, Scripted]:
    chat = Scripted(list(answers))
    return asyncio.run(ask(Model(chat, ChatSettings("m")), "Which?", "data", SCHEMA)), chat


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
NEARLY = st.fixed_dictionaries(
    {"a": st.none() | st.integers() | JSON, "b": st.sampled_from(["x", None, "z"])}
)
TEXTS = st.text(max_size=40) | st.text('{}[]",:ab1 \\nul', max_size=40) | (JSON | NEARLY).map(json.dumps)
PIECES = st.lists(
    TEXTS.map(ChatText)
    | TEXTS.map(ChatReasoning)
    | st.just(ChatUsage(3, 2, "scripted", "m"))
    | st.sampled_from([ChatError("It failed."), ChatUnavailable("It is away.")]),
    max_size=4,
)


@given(PIECES, PIECES)
@example([ChatText('{"a": 1e400, "b": "x"}')], [ChatText('{"a": NaN, "b": null}')])
@example([ChatText('{"a": 1, "a": "2", "b": null}')], [])
@example([ChatText('{"a": ' + "9" * 5000 + ', "b": null}')], [])
@settings(deadline=None)
def test_any_answers(first: list[Any], second: list[Any]) -> None:
    answer, chat = put(first, second)
    assert len(chat.asks) == len({len(question.messages[-1].content) for question in chat.asks}) <= 2
    assert (answer.value is None) == bool(answer.reason)
    assert len(answer.said) <= len(chat.asks)
    assert not answer.unavailable or answer.value is None
    if answer.value is not None:
        assert problem(SCHEMA, answer.value) is None
        json.dumps(answer.value, allow_nan=False)
    spoke = [_spoke(pieces) for pieces in (first, second)]
    assert len(answer.usage) >= sum(spoke[: len(chat.asks)])


def _spoke(pieces: list[Any]) -> bool:
    """Before it failed: that is paid for."""
    heard = list(takewhile(lambda piece: not isinstance(piece, ChatError), pieces))
    return any(isinstance(piece, ChatText) for piece in heard)


@given(NEARLY.filter(lambda value: problem(SCHEMA, value) is None))
def test_a_good_answer_in_any_pieces_is_it(value: dict[str, Any]) -> None:
    text = json.dumps(value)
    pieces: list[ChatPiece | ChatError] = [ChatText(letter) for letter in text]
    answer, chat = put(pieces)
    assert (answer.value, answer.reason, len(chat.asks)) == (value, "", 1)
