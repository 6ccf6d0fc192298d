"""A call to us, as whoever answers it sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ringback.media.rtp_stream import NoPortError, RtpStream
from ringback.telephony import causes
from ringback.telephony.causes import Trouble
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.header import Via
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.leg import SipLeg
from ringback.telephony.sip.sdp import Negotiation

if TYPE_CHECKING:
    from ringback.telephony.sip.endpoint import Endpoint


class IncomingCall:
    """A call that waits for an answer. Once the caller has given up, `answer` returns a leg that ended."""

    def __init__(self, invite: IncomingInvite, endpoint: Endpoint) -> None:
        self.encryption = Encryption.NONE
        """Of the audio. Keys that the caller offers instead of plain audio are taken in any case."""
        self._invite = invite
        self._endpoint = endpoint

    @property
    def call_id(self) -> str:
        return self._invite.call_id

    @property
    def caller(self) -> str:
        """The From URI as text: what the caller claims."""
        return self._invite.caller.uri

    @property
    def called(self) -> str:
        """The Request-URI as text."""
        return self._invite.request.uri

    @property
    def way(self) -> tuple[str, ...]:
        """The addresses that it came by, the nearest first: who sent it to us, and what each says of its own sender."""
        further = self._invite.request.headers.all("Via")[1:]
        return (self._invite.source.host, *(Via.parse(text).reply_address[0] for text in further))

    @property
    def callee(self) -> str:
        """The To URI as text: whom the caller wanted, before anybody sent the call elsewhere."""
        return self._invite.request.to.uri

    def header(self, name: str) -> str | None:
        """The first value of a header field of the INVITE, None without it."""
        return self._invite.request.headers.get(name)

    def ring(self) -> None:
        """Tell the caller that it rings (180)."""
        self._invite.ring()

    def reject(self, status: int = 603, retry_after_s: int | None = None) -> None:
        """Refuse with a final status of 400 to 699, and say when to try again. Raises ValueError on another one."""
        if not 400 <= status <= 699:
            raise ValueError(f"{status} is no status that refuses a call; use 400 to 699")
        fields = {} if retry_after_s is None else {"Retry_After": str(retry_after_s)}
        self._invite.reject(status, **fields)

    async def answer(self) -> SipLeg:
        """Take the call. Failures come as the leg's `Ended`."""
        leg, endpoint = SipLeg(self.call_id), self._endpoint
        try:
            rtp = await RtpStream.open(endpoint.media_host, endpoint.rtp_ports, leg.on_digit)
        except NoPortError:
            self._invite.reject(500)
            leg.finish(causes.failed(Trouble.NO_PORT))
            return leg
        leg.attach(self._invite, rtp)
        leg.limit_silence(endpoint.agent.timers, endpoint.rtp_timeout_s)
        self._invite.listen(leg.on_call_event)
        self._invite.accept(Negotiation(endpoint.address[0], rtp.local_port, self.encryption))
        return leg
