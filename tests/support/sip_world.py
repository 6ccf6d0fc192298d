"""A SIP user agent with a virtual clock and a wire that a test holds in its hands."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ringback.telephony.sip.agent import UserAgent
from ringback.telephony.sip.auth import Credentials
from ringback.telephony.sip.events import CallEvent
from ringback.telephony.sip.header import NameAddr
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Headers, Request, Response, parse
from ringback.telephony.sip.outgoing import Invitation, OutgoingCall
from ringback.telephony.sip.sdp import Negotiation
from ringback.telephony.sip.transaction import Address, Timing, always
from ringback.telephony.sip.uri import SipUri

PEER = Hop("192.0.2.9", 5060)
US: Address = ("192.0.2.1", 5060)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
)


class VirtualTimer:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class VirtualTimers:
    """Implements `Timers`; time passes only in `advance`."""

    def __init__(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, VirtualTimer, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[[], None], /) -> VirtualTimer:
        timer = VirtualTimer()
        heapq.heappush(self._due, (self.now + delay, next(self._order), timer, callback))
        return timer

    @property
    def pending(self) -> int:
        """Timers that still run."""
        return sum(not timer.cancelled for _, _, timer, _ in self._due)

    def advance(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            self.now, _, timer, callback = heapq.heappop(self._due)
            if not timer.cancelled:
                callback()
        self.now = until


@dataclass
class Sent:
    at: float
    message: Request | Response
    to: Hop

    @property
    def summary(self) -> str:
        """`INVITE` or `200 INVITE`."""
        message = self.message
        return message.method if isinstance(message, Request) else f"{message.status} {message.cseq.method}"


@dataclass
class World:
    """One user agent of ours, what it sent, and what its calls told."""

    timers: VirtualTimers = field(default_factory=VirtualTimers)
    sent: list[Sent] = field(default_factory=list)
    events: list[CallEvent] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        self.agent = UserAgent(self, self.timers, US, Timing())

    def locate(self, hop: Hop, use: Callable[[tuple[Hop, ...]], None]) -> None:
        """Implements `Wire`: nothing has a name."""
        use((replace(hop, port=hop.port or hop.transport.default_port),))

    def avoid(self, target: Hop) -> None:
        pass

    def send(
        self, data: bytes, to: Hop, failed: Callable[[], None], in_time: Callable[[], bool] = always
    ) -> None:
        """Implements `Wire`."""
        message = parse(data)
        assert message is not None
        self.sent.append(Sent(self.timers.now, message, to))
        if self.broken:
            self.timers.call_later(0, failed)

    def take(self) -> list[Sent]:
        """What was sent since the last time."""
        taken, self.sent[:] = list(self.sent), []
        return taken

    def summaries(self) -> list[str]:
        """In short, what was sent since the last time."""
        return [sent.summary for sent in self.take()]

    def receive(self, *messages: Request | Response) -> None:
        for message in messages:
            self.agent.receive(message.encode(), PEER)

    def advance(self, seconds: float) -> None:
        self.timers.advance(seconds)

    def call(
        self, password: str | None = None, in_time: Callable[[], bool] = lambda: True, **headers: str
    ) -> OutgoingCall:
        """Place a call; its INVITE is taken by `take`."""
        invitation = Invitation(
            target=SipUri.parse("sip:+15550199@192.0.2.9"),
            local=NameAddr("sip:+15550100@192.0.2.9"),
            hop=PEER,
            call_id="call-1",
            credentials=Credentials("joe", password) if password else None,
            headers=Headers(headers.items()),
            in_time=in_time,
        )
        call = OutgoingCall(self.agent, invitation, Negotiation("192.0.2.1", 6000), self.events.append)
        call.start()
        return call

    def sent_request(self, method: str) -> Request:
        """The only request of this method since the last `take`, which it takes."""
        (request,) = [sent.message for sent in self.take() if sent.summary == method]
        assert isinstance(request, Request)
        return request


def answer(
    request: Request, status: int, tag: str | None = "peer", sdp: str | None = None, **fields: str
) -> Response:
    """The peer's response to a request of ours; `sdp` is the direction of its description."""
    response = request.response(status, tag)
    response.headers.add("Contact", "<sip:peer@192.0.2.9:5080;transport=UDP>")
    for name, value in fields.items():
        response.headers.add(name.replace("_", "-"), value)
    if sdp is not None:
        response.set_body("application/sdp", SDP.format(direction=sdp).encode())
    return response


def peer_request(
    method: str,
    cseq: int,
    *,
    call_id: str = "call-1",
    from_tag: str = "peer",
    to_tag: str | None = None,
    sdp: str | None = None,
    branch: str | None = None,
    **fields: str,
) -> Request:
    """A request of the peer."""
    to = "<sip:us@192.0.2.1>" + (f";tag={to_tag}" if to_tag else "")
    headers = Headers(
        [
            (
                "Via",
                f"SIP/2.0/UDP 192.0.2.9:5060;branch={branch or f'z9hG4bK{method}{cseq}{from_tag}'};rport",
            ),
            ("From", f"<sip:peer@192.0.2.9>;tag={from_tag}"),
            ("To", to),
            ("Call-ID", call_id),
            ("CSeq", f"{cseq} {method}"),
            ("Contact", "<sip:peer@192.0.2.9:5080>"),
            ("Max-Forwards", "70"),
        ]
    )
    for name, value in fields.items():
        headers.add(name.replace("_", "-"), value)
    request = Request(method, "sip:us@192.0.2.1", headers=headers)
    if sdp is not None:
        request.set_body("application/sdp", SDP.format(direction=sdp).encode())
    return request
