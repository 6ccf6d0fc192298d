"""A question whose answer is JSON of a known schema: checked, asked once more where it is not, and never invented."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

from ringback.agents.chat import (
    Ask,
    ChatError,
    ChatMessage,
    ChatModel,
    ChatSettings,
    ChatText,
    ChatUnavailable,
    ChatUsage,
)
from ringback.agents.storable import read_json, storable
from ringback.agents.tokens import estimated_usage
from ringback.llm.json_schema import problem

MAX_ANSWER: Final = 32_000
"""Characters; what is longer is not read."""
MAX_QUESTION: Final = 400_000
_MAX_SHOWN: Final = 4_000
"""Characters of an answer in a log, and of a wrong one in the question that asks to repair it."""
_SMALL: Final = 2_000
"""Characters of JSON that are checked at once: more would delay the audio of the calls beside it."""


@dataclass(frozen=True, slots=True)
class Model:
    """Whom to ask, and how."""

    chat: ChatModel
    settings: ChatSettings

    @property
    def name(self) -> str:
        return f"{self.chat.provider} ({self.settings.model})"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question brought."""

    value: Any = None
    """As the schema wants it; None where there is no such answer."""
    reason: str = ""
    """Why there is none: one sentence for people."""
    usage: tuple[ChatUsage, ...] = ()
    """Of every request, whatever came of it."""
    said: tuple[str, ...] = ()
    """The answers as they came, at most two, their beginnings."""
    repaired: bool = False
    """The first answer was wrong."""
    unavailable: bool = False
    """Nobody answered: later somebody may."""


async def ask(
    model: Model,
    instructions: str,
    data: str,
    schema: Mapping[str, Any],
    *,
    wish: Callable[[Any], str | None] = lambda value: None,
) -> Answer:
    """Ask for JSON of a schema. `data` is what the question is about, untrusted: it stands apart from `instructions`.

    `wish` says what else is wrong with an answer: that is a reason to ask once more, not to do without it. The
    model's own timeouts hold for each of the two questions. Never raises ChatError.
    """
    told = (
        f"{instructions}\n\nAnswer with one JSON object and nothing else. Its JSON schema:\n{_json(schema)}"
    )
    if len(told) + len(data) > MAX_QUESTION:
        return Answer(reason=f"The question is longer than {MAX_QUESTION} characters.")
    messages: tuple[ChatMessage, ...] = (ChatMessage("system", told), ChatMessage("user", data))
    usage: list[ChatUsage] = []
    said: list[str] = []
    first: Answer | None = None
    for again in (False, True):
        question = Ask(messages, model.settings, spoken=False, logged=False, schema=schema)
        try:
            text = await _gathered(model, question, usage)
        except ChatError as error:
            gone = isinstance(error, ChatUnavailable)
            failed = Answer(reason=str(error), repaired=again, unavailable=gone)
            return replace(first or failed, usage=tuple(usage), said=tuple(said))
        said.append(text[:_MAX_SHOWN])
        value, wrong = await _read(text, schema)
        if wrong is None:
            wrong = None if again else wish(value)
            first = Answer(value, usage=tuple(usage), said=tuple(said), repaired=again)
            if wrong is None:
                return first
        messages = _with_repair(messages, text, wrong)
    reason = f"The language model {model.name} did not answer as it was asked to, twice: {wrong}."
    return replace(first or Answer(reason=reason, repaired=True), usage=tuple(usage), said=tuple(said))


async def _gathered(model: Model, question: Ask, usage: list[ChatUsage]) -> str:
    """The whole text; what it cost is added to `usage`. Raises ChatError."""
    said: list[str] = []
    length, counted = 0, len(usage)
    try:
        async with aclosing(model.chat.stream(question)) as pieces:  # type: ignore[type-var]
            async for piece in pieces:
                if isinstance(piece, ChatText):
                    said.append(piece.text)
                    length += len(piece.text)
                elif isinstance(piece, ChatUsage):
                    usage.append(piece)
                if length > MAX_ANSWER:
                    break
    finally:
        if said and len(usage) == counted:
            usage.append(
                estimated_usage(question, *said, provider=model.chat.provider, model=question.settings.model)
            )
    return "".join(said)


async def _read(text: str, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """The value, or what is wrong with it."""
    if len(text) > MAX_ANSWER:
        return None, f"it is longer than {MAX_ANSWER} characters"
    if len(text) > _SMALL:
        return await asyncio.to_thread(_parsed, text, schema)
    return _parsed(text, schema)


def _parsed(text: str, schema: Mapping[str, Any]) -> tuple[Any, str | None]:
    """What stands around the object (a fence, a sentence) does not count."""
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        return None, "it is no JSON object"
    try:
        value = storable(read_json(text[start : end + 1]))  # "1e400" is read as infinite
    except ValueError as error:
        return None, f"it is no JSON: {error}"
    return value, problem(schema, value)


def _with_repair(messages: tuple[ChatMessage, ...], text: str, wrong: str) -> tuple[ChatMessage, ...]:
    again = (
        f"Your answer cannot be used: {wrong}. Answer again: the whole JSON object, corrected, nothing else."
    )
    if not text.strip():  # no server takes an empty message
        *before, last = messages
        return (*before, ChatMessage(last.role, f"{last.content}\n\n{again}"))
    return (*messages, ChatMessage("assistant", text[:_MAX_SHOWN]), ChatMessage("user", again))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
