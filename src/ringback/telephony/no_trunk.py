"""The carrier of an installation without a trunk: every call ends at once and says what is missing."""

from __future__ import annotations

import secrets
from typing import Final

from ringback.media.frame import SILENCE, Frame
from ringback.media.leg import DialRequest, Ended, EndedBy, HangupCause, Outcome

_ENDED: Final = Ended(
    Outcome.ERROR,
    EndedBy.ERROR,
    "Carrier unable to reach bolna",
    3090,
    detail="No trunk is configured (setting trunk.host), so no call can go out",
)


class NoTrunk:
    """Implements `media.leg.Carrier`."""

    @property
    def name(self) -> str:
        return "none"

    def new_call_id(self) -> str:
        return secrets.token_hex(16)

    async def dial(self, request: DialRequest) -> EndedLeg:
        return EndedLeg(request.call_id)


class EndedLeg:
    """Implements `media.leg.Leg`, over before it began."""

    def __init__(self, call_id: str, ended: Ended = _ENDED) -> None:
        self._call_id = call_id
        self._ended = ended

    @property
    def call_id(self) -> str:
        return self._call_id

    async def next_event(self) -> Ended:
        return self._ended

    def read_frame(self) -> Frame:
        return SILENCE

    def write_frame(self, frame: Frame) -> None:
        pass

    def send_digits(self, keys: str) -> None:
        pass

    async def hangup(self, cause: HangupCause) -> None:
        pass

    async def refer(self, target: str) -> None:
        pass
