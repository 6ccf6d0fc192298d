"""Registering with a carrier (RFC 3261 section 10): so that it knows where to call us. Sans I/O."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from ringback.telephony.sip.agent import UserAgent
from ringback.telephony.sip.auth import Credentials, DigestSession
from ringback.telephony.sip.exchange import Exchange
from ringback.telephony.sip.header import CSeq, NameAddr
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Headers, Request, Response
from ringback.telephony.sip.params import Params, SipSyntaxError, find_param
from ringback.telephony.sip.transaction import Event, Timer
from ringback.telephony.sip.uri import SipUri, bracketed

EXPIRES: Final = 300
"""Seconds asked for: a worker that died is called no longer than that."""
_LONGEST: Final = 86_400
_SHORTEST: Final = 20.0
"""Between two REGISTERs, however short the registrar wants them."""
_FIRST_RETRY: Final = 5.0
_LONGEST_RETRY: Final = 300.0
_REFUSED_RETRY: Final = 60.0
"""After a refusal: a registrar bans who asks too often with a wrong password."""


@dataclass(frozen=True, slots=True)
class Registrar:
    """Where and as whom."""

    hop: Hop
    domain: str
    """Of the address of record."""
    port: int | None
    username: str
    credentials: Credentials


@dataclass(frozen=True, slots=True)
class Registered:
    """The registrar calls us at `contact` for the next `seconds`."""

    seconds: float
    contact: str


@dataclass(frozen=True, slots=True)
class Unregistered:
    """It does not, or not any more; it is tried again in `seconds`."""

    why: str
    code: int | None
    seconds: float


class Registration:
    """Keeps one registration alive from `start` on, with the first registrar that takes it."""

    def __init__(
        self,
        agent: UserAgent,
        registrars: Sequence[Registrar],
        told: Callable[[Registered | Unregistered], None],
        *,
        expires: int = EXPIRES,
        jitter: Callable[[], float] = lambda: secrets.randbelow(1000) / 1000,
    ) -> None:
        self._agent = agent
        self._registrars = registrars
        self._told = told
        self._expires = expires
        self._jitter = jitter
        self._place = 0
        self._failures = 0
        self._timer: Timer | None = None
        self._cseq = 0
        self._call_id = ""
        self._tag = ""
        self._digest = DigestSession(None)
        self._asked_longer = False
        self._registered = False
        self._ended = False

    def start(self) -> None:
        self._fresh()
        self._register()

    def stop(self) -> None:
        """Let the registrar forget us; nothing is told any more. What it answers is of no matter."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._registered:
            self._send(0, lambda request, response: None, lambda event: None)

    def _fresh(self) -> None:
        """Another registrar knows no Call-ID, nor any challenge, of ours."""
        self._call_id = f"{secrets.token_hex(16)}@{bracketed(self._agent.address[0])}"
        self._tag = self._agent.new_tag()
        self._digest = DigestSession(self._who.credentials)
        self._cseq = 0

    @property
    def _who(self) -> Registrar:
        return self._registrars[self._place]

    @property
    def _contact(self) -> SipUri:
        transport = self._who.hop.transport
        host, port = self._agent.address_by(transport)
        params: Params = (("transport", transport.lower()),) if transport.reliable else ()
        return SipUri(bracketed(host), SipUri.of(self._who.username, "x").user, port, params)

    def _register(self) -> None:
        self._timer = None
        self._send(self._expires, self._received, self._lost)

    def _send(
        self, expires: int, received: Callable[[Request, Response], None], lost: Callable[[Event], None]
    ) -> None:
        Exchange(
            self._agent, self._digest, lambda: self._request(expires), self._who.hop, received, lost
        ).start()

    def _request(self, expires: int) -> Request:
        self._cseq += 1
        who = self._who
        record = NameAddr(str(SipUri.of(who.username, bracketed(who.domain), who.port)))
        return Request(
            "REGISTER",
            str(SipUri(bracketed(who.domain), None, who.port)),
            headers=Headers(
                [
                    ("Max-Forwards", "70"),
                    ("From", str(record.with_tag(self._tag))),
                    ("To", str(record)),
                    ("Call-ID", self._call_id),
                    ("CSeq", str(CSeq(self._cseq, "REGISTER"))),
                    ("Contact", f"<{self._contact}>"),
                    ("Expires", str(expires)),
                ]
            ),
        )

    def _received(self, request: Request, response: Response) -> None:
        if self._ended or response.status < 200:
            return
        if response.status < 300:
            self._taken(response)
        elif response.status == 423 and not self._asked_longer and self._longer(response):
            self._register()
        else:
            self._refused(response)

    def _taken(self, response: Response) -> None:
        self._registered, self._failures, self._asked_longer = True, 0, False
        granted = _granted(response, self._contact, self._expires)
        host, port = self._agent.address_by(self._who.hop.transport)
        self._told(Registered(granted, f"{bracketed(host)}:{port}"))
        self._again(max(_SHORTEST, granted / 2))

    def _longer(self, response: Response) -> bool:
        """Ask for as long as it takes (RFC 3261 section 10.2.8)."""
        wanted = _whole(response.headers.get("Min-Expires"))
        if wanted is None or not self._expires < wanted <= _LONGEST:
            return False
        self._expires, self._asked_longer = wanted, True
        return True

    def _refused(self, response: Response) -> None:
        status = response.status
        if status in (401, 407):
            why = "the registrar does not take the user name and password"
        elif status in (403, 404):
            why = "the registrar does not know the user, or forbids it to register"
        elif status >= 500:
            why = "the registrar is not available"
        else:
            why = "the registrar refuses the registration"
        least = _whole(response.headers.get("Retry-After")) or 0
        self._failed(why, status, max(least, 0 if status >= 500 else _REFUSED_RETRY), gateway=status >= 500)

    def _lost(self, event: Event) -> None:
        if not self._ended:
            timed_out = event is Event.TIMEOUT
            self._failed(
                "the registrar does not answer" if timed_out else "nothing could be sent to the registrar",
                None,
                0,
                gateway=True,
            )

    def _failed(self, why: str, code: int | None, least: float, *, gateway: bool) -> None:
        """Try again: soon and with the next registrar where this one is at fault, then ever later."""
        self._failures += 1
        self._registered = False
        grown = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(10, self._failures - 1))
        seconds = min(_LONGEST, max(least, grown) * (1 + self._jitter() / 4))
        if gateway and len(self._registrars) > 1:
            self._place = (self._place + 1) % len(self._registrars)
            self._fresh()
            if self._place:
                seconds = _FIRST_RETRY / 5
        self._told(Unregistered(why, code, seconds))
        self._again(seconds)

    def _again(self, seconds: float) -> None:
        self._timer = self._agent.timers.call_later(seconds, self._register)


def _granted(response: Response, contact: SipUri, asked: int) -> float:
    """For how long: what stands at our contact among those it lists, else for all of them, else what we asked for."""
    for value in response.headers.all("Contact"):
        try:
            listed = NameAddr.parse(value)
            uri = SipUri.parse(listed.uri)
        except SipSyntaxError:
            continue
        if (uri.user, uri.host, uri.port) == (contact.user, contact.host, contact.port):
            expires = _whole(find_param(listed.params, "expires"))
            if expires is not None:
                return float(min(expires, _LONGEST))
    expires = _whole(response.headers.get("Expires"))
    return float(min(_LONGEST, asked if expires is None else expires))


def _whole(text: str | None) -> int | None:
    digits = (text or "").partition("(")[0].partition(";")[0].strip()
    return int(digits[:9]) if digits.isascii() and digits.isdecimal() else None
