"""A SIP call as a leg: its events in order, its audio, and its end in the words of the record."""

from __future__ import annotations

import asyncio
import logging
from typing import Final, Protocol

from ringback.media.frame import SILENCE, Frame
from ringback.media.leg import (
    Answered,
    Digit,
    EarlyMedia,
    Ended,
    HangupCause,
    Held,
    LegEvent,
    Referred,
    Resumed,
    Ringing,
)
from ringback.media.rtp_stream import RtpStatistics, RtpStream
from ringback.telephony import causes
from ringback.telephony.causes import WireCode
from ringback.telephony.sip.events import (
    Alerting,
    CallEvent,
    Connected,
    Early,
    Finished,
    Keyed,
    MediaChanged,
    ReferProgress,
)
from ringback.telephony.sip.header import Reason
from ringback.telephony.sip.media_watch import MediaWatch
from ringback.telephony.sip.sdp import Media
from ringback.telephony.sip.transaction import Timer, Timers

log = logging.getLogger(__name__)

_MAX_EVENTS: Final = 500
"""Events nobody fetched before the leg ends itself."""


class SipCall(Protocol):
    """What a leg needs of its call, whoever placed it."""

    def hang_up(self, reason: Reason | None = None) -> None: ...

    def refer(self, target: str) -> None: ...

    def hold(self, holding: bool) -> None: ...


class SipLeg:
    """Implements `media.leg.Leg`. Made before its call; `attach` joins them."""

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id
        self._call: SipCall | None = None
        self._rtp: RtpStream | None = None
        self.media: Media | None = None
        """What was agreed on last; None before."""
        self._events: asyncio.Queue[LegEvent] = asyncio.Queue()
        self._cause: HangupCause | None = None
        self._ring_timer: Timer | None = None
        self._watch: MediaWatch | None = None
        self._keys_from: str | None = None
        self._early = False
        self._answered = False
        self._held = False
        self._holding = False
        self._ended = False

    @property
    def call_id(self) -> str:
        return self._call_id

    def attach(self, call: SipCall, rtp: RtpStream) -> None:
        """Give the leg its call and its audio."""
        self._call = call
        self._rtp = rtp

    def limit_ringing(self, timer: Timer) -> None:
        """Take over the timer that ends the ringing, to stop it in time."""
        self._ring_timer = timer

    def statistics(self) -> RtpStatistics | None:
        """What became of the packets, also after the end; None for a call that never had audio."""
        return None if self._rtp is None else self._rtp.statistics()

    def limit_silence(self, timers: Timers, timeout_s: float) -> None:
        """End the answered leg when no audio has come for so long (much longer on hold); 0: never."""
        rtp = self._rtp
        assert rtp is not None, "attach comes first"
        self._watch = MediaWatch(
            timers,
            timeout_s,
            lambda: rtp.statistics().packets_received,
            lambda: self.end(HangupCause.RTP_TIMEOUT),
        )

    async def next_event(self) -> LegEvent:
        return await self._events.get()

    def read_frame(self) -> Frame:
        return SILENCE if self._rtp is None or self._ended else self._rtp.read_frame()

    def write_frame(self, frame: Frame) -> None:
        if self._rtp is not None and not self._ended:
            self._rtp.write_frame(frame)

    def send_digits(self, keys: str) -> None:
        if self._rtp is not None and self._answered and not self._ended:
            self._rtp.send_digits(keys)

    async def hangup(self, cause: HangupCause) -> None:
        self.end(cause)

    async def refer(self, target: str) -> None:
        if self._call is not None and self._answered:
            self._call.refer(target)
        else:
            self._push(Referred(481, final=True))

    def hold(self, holding: bool) -> None:
        """Hold the person of an answered call, or resume; while held they hear what is written, and are not heard."""
        if self._call is not None and self._answered:
            self._holding = holding
            self._call.hold(holding)
            self._await_audio()

    def end(self, cause: HangupCause) -> None:
        """`hangup` for callers that cannot wait, such as timers."""
        if self._cause is None and not self._ended and self._call is not None:
            self._cause = cause
            self._call.hang_up(_reason_of(cause))

    def on_digit(self, digit: Digit, way: str = "rtp") -> None:
        """Take a key. Some gateways tell each by RTP and by INFO: the way of the first one holds."""
        self._keys_from = self._keys_from or way
        if way == self._keys_from:
            self._push(digit)

    def on_call_event(self, event: CallEvent) -> None:
        """Take what the SIP call tells."""
        match event:
            case Alerting():
                self._push(Ringing())
            case Early(media):
                self._connect(media)
                self._tell_early_media()
            case Connected(media):
                self._answered = True
                self._stop_ring_timer()
                self._connect(media)
                if self._watch is not None:
                    self._watch.start()
                self._push(Answered())
                self._follow_hold(media)
            case MediaChanged(media):
                self._connect(media)
                self._follow_hold(media)
            case Keyed(digit):
                self.on_digit(digit, "info")
            case ReferProgress(status, final):
                self._push(Referred(status, final))
            case Finished():
                self.finish(self._ending(event))

    def finish(self, ended: Ended) -> None:
        """The leg is over: free its audio and tell."""
        if self._ended:
            return
        self._ended = True
        self._stop_ring_timer()
        if self._watch is not None:
            self._watch.stop()
        if self._rtp is not None:
            self._rtp.close()
        self._events.put_nowait(ended)

    def _connect(self, media: Media) -> None:
        self.media = media
        if self._rtp is not None:
            if media.remote is not None:
                self._rtp.secure(media.srtp)
                self._rtp.connect(media.remote, media.codec, media.dtmf_payload_type)
            self._rtp.pause(sending=media.may_send)

    def _tell_early_media(self) -> None:
        """Once, however often the provisional response is repeated."""
        if not self._early:
            self._early = True
            self._push(EarlyMedia())

    def _follow_hold(self, media: Media) -> None:
        if self._held == media.may_send:
            self._held = not media.may_send
            self._await_audio()
            self._push(Held() if self._held else Resumed())

    def _await_audio(self) -> None:
        """As long as one side holds the call, hardly any audio is to be expected."""
        if self._watch is not None:
            self._watch.hold(self._held or self._holding)

    def _push(self, event: LegEvent) -> None:
        if self._ended:
            return
        if self._events.qsize() >= _MAX_EVENTS:
            log.warning("SIP: a leg ends itself, nobody takes its events")
            self.end(HangupCause.ERROR)
            return
        self._events.put_nowait(event)

    def _ending(self, event: Finished) -> Ended:
        codes: list[WireCode] = [(reason.protocol, reason.cause) for reason in event.reasons]
        if event.ours and (self._cause is not None or event.trouble is None):
            cause = self._cause or HangupCause.ERROR
            if self._answered:
                return causes.hung_up_by_us(cause)
            return causes.canceled(cause, event.status, event.trouble)
        if event.trouble is not None:
            return causes.lost(event.trouble) if self._answered else causes.failed(event.trouble)
        if self._answered:
            return causes.hung_up_by_peer(codes)
        return causes.refused(event.status or 487, codes)

    def _stop_ring_timer(self) -> None:
        if self._ring_timer is not None:
            self._ring_timer.cancel()
            self._ring_timer = None


def _reason_of(cause: HangupCause) -> Reason | None:
    """What our BYE or CANCEL tells the peer; a normal end needs no reason."""
    return _REASONS.get(cause)


_REASONS: Final = {
    HangupCause.RING_TIMEOUT: Reason("SIP", 408, "Ring timeout"),
    HangupCause.MAX_DURATION: Reason("Q.850", 16, "Maximum duration"),
    HangupCause.RTP_TIMEOUT: Reason("Q.850", 27, "No audio"),
    HangupCause.ERROR: Reason("Q.850", 41, "Internal error"),
}
