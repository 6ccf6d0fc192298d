"""A language model that stands in for another one that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from ringback.agents.chat import (
    Ask,
    ChatError,
    ChatFallback,
    ChatModel,
    ChatPiece,
    ChatReasoning,
    ChatUnavailable,
)

REST_S: Final = 30.0
"""A model that was not there is not the first to be asked for so long: each of its failures is a silence."""
_PORTABLE: Final = ("stop", "presence_penalty", "frequency_penalty")
"""Settings that another model understands too."""


class FallbackChat:
    """Implements `agents.chat.ChatModel`: asks the second model where the first one failed before any text."""

    def __init__(self, first: ChatModel, second: ChatModel, model: str) -> None:
        """`model` is the name of the second one; its other settings are those of the ask."""
        self._first = first
        self._second = second
        self._model = model
        self._rests_until = 0.0

    @property
    def provider(self) -> str:
        return self._first.provider

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        """Stream the answer of whoever gives one; usage names who that was. Raises ChatError if nobody does."""
        settings = ask.settings
        portable = {key: value for key, value in settings.extra.items() if key in _PORTABLE}
        other = replace(ask, settings=replace(settings, model=self._model, extra=portable))
        turns = [(self._first, ask), (self._second, other)]
        now = asyncio.get_running_loop().time
        if now() < self._rests_until:
            turns.reverse()
        failures: list[str] = []
        for model, question in turns:
            if failures:
                name = question.settings.model
                message = f"{failures[0].rstrip('.')}. {model.provider} ({name}) answers instead."
                yield ChatFallback(message, model.provider, name)
            given = False
            try:
                async with aclosing(model.stream(question)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        given = given or not isinstance(piece, ChatReasoning)
                        yield piece
                return
            except ChatError as error:
                if model is self._first and isinstance(error, ChatUnavailable):
                    self._rests_until = now() + REST_S
                if given:
                    raise
                failures.append(str(error))
        raise ChatError(". ".join(failure.rstrip(".") for failure in failures) + ".")
