"""A call as those see it who make an agent ready for it, talk in it, and complete its record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ringback.calls.prelude import Prelude
from ringback.executions.record import Execution, UsageLine
from ringback.media.leg import Ended, Leg


class Attempted(Protocol):
    """The attempt of a call that this worker holds."""

    @property
    def account_id(self) -> str: ...

    @property
    def execution_id(self) -> str: ...

    @property
    def number(self) -> int: ...


class CallRefused(Exception):
    """The call cannot be placed as configured; the message says why and goes into the record."""


@dataclass(frozen=True, slots=True)
class LiveCall:
    """An answered call, handed to whoever talks."""

    execution: Execution
    number: int
    leg: Leg
    answered_us: int
    prelude: Prelude | None = None
    """The menus that led to this agent."""


@dataclass(frozen=True, slots=True)
class Talk:
    """What came of the talking; the leg has ended."""

    ended: Ended
    conversation_ms: int
    extracted: Mapping[str, Any] | None = None
    context: Mapping[str, Any] | None = None
    """Where a graph agent ended up."""
    latency: Mapping[str, Any] | None = None
    error: str | None = None
    voicemail: bool = False
    """A machine took the call."""
    usage: Sequence[UsageLine] = field(default_factory=tuple)


class Talker(Protocol):
    """An agent made ready for one call."""

    async def talk(self, call: LiveCall) -> Talk:
        """Talk until the leg has ended. The first audio goes out at once."""
        ...


Prepare = Callable[[Execution], Awaitable[Talker]]
"""Make the agent of an execution ready before anybody is dialled or answered. Raises CallRefused."""

AfterCall = Callable[[Attempted], Coroutine[Any, Any, None]]
"""Complete the record of a call that has been disconnected, from what the store holds."""
