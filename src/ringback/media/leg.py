"""The one interface of a call leg: carriers implement it, dialling and conversations use it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Protocol

from ringback.media.frame import Frame


class Outcome(StrEnum):
    """What became of a leg. An answered leg always ends HUNG_UP, whoever did it and why."""

    HUNG_UP = "hung-up"
    BUSY = "busy"
    NO_ANSWER = "no-answer"
    FAILED = "failed"
    CANCELED = "canceled"
    ERROR = "error"
    """Our own fault: no port, no trunk, a bug; nothing to do with the person or the network."""


class EndedBy(StrEnum):
    """Who ended a leg, from the leg's own point of view; the record names it by direction."""

    PEER = "peer"
    """The person at the other end."""
    US = "us"
    CARRIER = "carrier"
    ERROR = "error"


class HangupCause(StrEnum):
    """Why *we* hang up a live leg or cancel a ringing one."""

    NORMAL = "normal"
    SILENCE = "inactivity_timeout"
    MAX_DURATION = "call_terminate"
    AGENT = "end_call_tool"
    JUDGED_OVER = "llm_prompted_hangup"
    VOICEMAIL = "voicemail_detected"
    FAX = "fax_detected"
    TRANSFERRED = "transferred"
    """The person talks, or has talked, with somebody else."""
    CANCELED = "canceled"
    RING_TIMEOUT = "ring_timeout"
    RTP_TIMEOUT = "rtp_timeout"
    """No audio has come from the other side for long."""
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Ringing:
    """The far end is alerting (SIP 180)."""


@dataclass(frozen=True, slots=True)
class EarlyMedia:
    """Audio flows before the answer (SIP 183 with SDP)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The far end took the call; audio flows both ways from here."""


@dataclass(frozen=True, slots=True)
class Digit:
    """A keypad key of the person, complete (RFC 4733 end bit seen)."""

    key: str
    """One of 0-9 * # A-D."""
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Held:
    """The far end put us on hold; it may hear nothing until Resumed."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Hold is over."""


@dataclass(frozen=True, slots=True)
class Referred:
    """What has become of a blind transfer that `refer` asked for; after the final one nothing more comes.

    A leg that ends before the final one, but after the far end accepted (202), was taken over.
    """

    code: int
    """A SIP status: 202 accepted, 180 the target rings, 200 it answered, 486 it is busy, 408 nobody told ...

    A final one below 300 other than 200: handed over, and the far end tells no more.
    """
    final: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The leg is over; always the last event of a leg and always delivered once."""

    outcome: Outcome
    by: EndedBy
    reason: str
    """Wording of contract section 5 ("Normal Hangup", "Call recipient was busy" ...)."""
    provider_code: int | None = None
    """Contract section 5 numbering (4000, 3010 ...)."""
    sip_code: int | None = None
    """The raw code of the wire: a SIP status, or the Q.850/SIP cause of a Reason header; None without one."""
    detail: str | None = None
    """One plain sentence for `error_message`; None for a normal end."""


LegEvent = Ringing | EarlyMedia | Answered | Digit | Held | Resumed | Referred | Ended


@dataclass(frozen=True, slots=True)
class DialRequest:
    """Everything a carrier needs to place one call. `call_id` is fixed before: it was committed as the intent."""

    call_id: str
    to_number: str
    """E.164."""
    from_number: str
    """E.164 (or whatever the trunk calls itself)."""
    _: KW_ONLY
    account_id: str = ""
    """Whose call it is."""
    trunk_id: str | None = None
    """Which of the account's trunks carries it; None: that of the settings."""
    ring_timeout_s: float = 45.0
    """Seconds from the first INVITE to an answer; then the leg is cancelled and ends NO_ANSWER."""
    headers: dict[str, str] = field(default_factory=dict)
    in_time: Callable[[], bool] = lambda: True
    """Once it says no, nothing that dials may leave: the call may be somebody else's. A process may be stopped
    between any two instructions, so it is asked right before each packet."""


class Leg(Protocol):
    """One leg of a phone call: its events, its audio in 20 ms frames, and the ways to end it.

    `read_frame` and `write_frame` are called once each per tick by the process's ticker, never block and never
    raise: outside an answered (or early-media) call reading gives silence and writing is dropped.
    """

    @property
    def call_id(self) -> str:
        """The id on the wire (SIP Call-ID)."""
        ...

    async def next_event(self) -> LegEvent:
        """Wait for the next event. After `Ended` was delivered it must not be called again.

        No event is lost while nobody waits: they queue up in order (bounded: a leg in trouble ends itself).
        """
        ...

    def read_frame(self) -> Frame:
        """The next 20 ms heard from the person, out of the jitter buffer; silence where nothing arrived."""
        ...

    def write_frame(self, frame: Frame) -> None:
        """Send 20 ms to the person."""
        ...

    def send_digits(self, keys: str) -> None:
        """Press keys (0-9 * # A-D, `w` for half a second's pause) in place of what is written meanwhile.

        Raises ValueError for others, or where more than 100 wait. Dropped where nobody has answered.
        """
        ...

    async def hangup(self, cause: HangupCause) -> None:
        """End the leg (BYE) or cancel it while it rings (CANCEL). Idempotent; `Ended` follows as an event."""
        ...

    async def refer(self, target: str) -> None:
        """Transfer an answered call blindly to `target`, E.164 or a SIP or tel URI; `Referred` or `Ended` follow.

        While one transfer is under way no other begins. A carrier that cannot answers `Referred(501, True)`.
        """
        ...


class Carrier(Protocol):
    """A way to reach the telephone network."""

    @property
    def name(self) -> str:
        """What the record shows as `telephony_data.provider`, e.g. "sip-trunk"."""
        ...

    def new_call_id(self) -> str:
        """A fresh unguessable id for the wire, to be committed before `dial`."""
        ...

    async def dial(self, request: DialRequest) -> Leg:
        """Send the first packet and return at once; everything after comes as events, failures included.

        Only a programming error raises: a refused port or an unresolvable trunk is an `Ended` event.
        """
        ...
