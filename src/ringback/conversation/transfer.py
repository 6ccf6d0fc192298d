"""What a transfer may come to, and who places the second leg."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, Literal, Protocol

from ringback.agents.tools import ToolResult
from ringback.media.leg import Ended, Leg, Outcome
from ringback.media.recorder import Recorder


class TransferResult(StrEnum):
    """`transfer_call_data.termination_reason`; the agent is told of those that leave the person with it."""

    COMPLETED = "completed"
    """The two have talked, or the network says that the call was moved."""
    UNCONFIRMED = "unconfirmed"
    """The network took the call over and told no more."""
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    INVALID_NUMBER = "invalid_number"
    HUNG_UP_AT_ONCE = "hung_up_at_once"
    """Answered, and gone before anything could be said."""
    CALLER_LEFT = "caller_hung_up"
    """The person did not wait for it."""
    NOT_SUPPORTED = "not_supported"
    """The other end of the call moves no calls."""
    FAILED = "failed"
    """By the network's fault."""
    ERROR = "error"
    """By ours."""

    @property
    def took_place(self) -> bool:
        return self in (TransferResult.COMPLETED, TransferResult.UNCONFIRMED)


_TOLD: Final[Mapping[TransferResult, str]] = {
    TransferResult.NO_ANSWER: "nobody answered",
    TransferResult.BUSY: "the line is busy",
    TransferResult.REJECTED: "the call was rejected",
    TransferResult.INVALID_NUMBER: "the number is not valid",
    TransferResult.HUNG_UP_AT_ONCE: "the person hung up at once",
    TransferResult.CALLER_LEFT: "the caller hung up",
    TransferResult.NOT_SUPPORTED: "this call cannot be transferred",
    TransferResult.FAILED: "the telephone network refused it",
    TransferResult.ERROR: "of a technical problem",
}
_NUMBER: Final = re.compile(r"\+?[0-9*#]{2,20}")
_CODES: Final[Mapping[int, TransferResult]] = {
    **dict.fromkeys((486, 600), TransferResult.BUSY),
    **dict.fromkeys((408, 480, 487), TransferResult.NO_ANSWER),
    **dict.fromkeys((603, 607), TransferResult.REJECTED),
    **dict.fromkeys((404, 410, 484, 604), TransferResult.INVALID_NUMBER),
    **dict.fromkeys((405, 420, 489, 501), TransferResult.NOT_SUPPORTED),
}
_OUTCOMES: Final[Mapping[Outcome, TransferResult]] = {
    Outcome.BUSY: TransferResult.BUSY,
    Outcome.NO_ANSWER: TransferResult.NO_ANSWER,
    Outcome.CANCELED: TransferResult.CALLER_LEFT,
    Outcome.ERROR: TransferResult.ERROR,
}
_INVALID_NUMBER, _REJECTED = 2000, "Call recipient rejected"


def told(result: TransferResult) -> ToolResult:
    """What the agent learns of a transfer that left the person with it; a graph finds `transfer_result`."""
    content = f"The transfer failed: {_TOLD[result]}. The caller is still with you. Tell them, and go on."
    return ToolResult(content, failed=True, values={"transfer_result": str(result)})


def of_code(code: int) -> TransferResult:
    """Of the final SIP status that a blind transfer came to."""
    if code < 300:
        return TransferResult.COMPLETED if code == 200 else TransferResult.UNCONFIRMED
    return _CODES.get(code, TransferResult.FAILED)


def of_unanswered(ended: Ended) -> TransferResult:
    """Of a leg that ended before anybody answered."""
    if ended.outcome is Outcome.FAILED:
        if ended.provider_code == _INVALID_NUMBER:
            return TransferResult.INVALID_NUMBER
        return TransferResult.REJECTED if ended.reason == _REJECTED else TransferResult.FAILED
    return _OUTCOMES.get(ended.outcome, TransferResult.FAILED)


def dialled_number(text: str) -> str | None:
    """The number without what people write between its digits; None for none that can be dialled."""
    number = re.sub(r"[\s()./-]", "", text)
    return number if _NUMBER.fullmatch(number) else None


class TransferRefused(Exception):
    """It cannot even be tried; the message says why, for the log."""


class SecondLeg(Protocol):
    """One transfer that is being tried, and its record. Nothing here waits but `ended`; nothing raises."""

    @property
    def leg(self) -> Leg:
        """Dialled already. Not of a blind one."""
        ...

    def recorder(self) -> Recorder:
        """For its audio, which begins now."""
        ...

    def rings(self) -> None: ...

    def answered(self) -> None: ...

    def joined(self) -> None: ...

    async def ended(self, result: TransferResult, ended: Ended | None, *, by_caller: bool) -> None:
        """It is over; None: of a leg that is not ours, or that did not say how. `by_caller`: the person hung up."""
        ...


class Switchboard(Protocol):
    """Places the second legs of one call."""

    async def begin(
        self, kind: Literal["attended", "blind"], to_number: str, ring_timeout_s: float
    ) -> SecondLeg:
        """Commit that the transfer is tried, and dial unless it is blind. Raises TransferRefused."""
        ...
