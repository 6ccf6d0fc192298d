"""What a call tells its owner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ringback.media.leg import Digit
from ringback.telephony.causes import Trouble
from ringback.telephony.sip.header import Reason
from ringback.telephony.sip.sdp import Media


@dataclass(frozen=True, slots=True)
class Alerting:
    """180 came: the far end rings."""


@dataclass(frozen=True, slots=True)
class Early:
    """A provisional response brought a description: audio before the answer."""

    media: Media


@dataclass(frozen=True, slots=True)
class Connected:
    """The call is answered."""

    media: Media


@dataclass(frozen=True, slots=True)
class MediaChanged:
    """The peer negotiated anew: hold, resume, another address or codec."""

    media: Media


@dataclass(frozen=True, slots=True)
class Keyed:
    """An INFO told of a key."""

    digit: Digit


@dataclass(frozen=True, slots=True)
class ReferProgress:
    """What has become of a transfer that we asked for."""

    status: int
    """A SIP status: 202 accepted; then that of the new call."""
    final: bool


@dataclass(frozen=True, slots=True)
class Finished:
    """The call is over; always the last event, always once."""

    ours: bool
    """Whether we ended it: BYE, or CANCEL that won."""
    status: int | None = None
    """The final response of the peer to a call that was not answered."""
    reasons: tuple[Reason, ...] = ()
    """Reason headers of the BYE, CANCEL or final response."""
    trouble: Trouble | None = None


CallEvent = Alerting | Early | Connected | MediaChanged | Keyed | ReferProgress | Finished
Emit = Callable[[CallEvent], None]
