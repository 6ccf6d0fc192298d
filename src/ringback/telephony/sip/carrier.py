"""A SIP trunk as a carrier."""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field, replace

from ringback.media.g711 import Codec
from ringback.media.leg import DialRequest, HangupCause
from ringback.media.rtp_stream import NoPortError, RtpStream
from ringback.telephony import causes
from ringback.telephony.causes import Trouble
from ringback.telephony.sip.auth import Credentials
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.header import NameAddr
from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.hunting import Hunt
from ringback.telephony.sip.leg import SipLeg
from ringback.telephony.sip.message import Headers
from ringback.telephony.sip.outgoing import Invitation
from ringback.telephony.sip.sdp import Negotiation
from ringback.telephony.sip.uri import DEFAULT_PORT, SipUri, bracketed, split_host_port

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Trunk:
    """A way into the telephone network, as its provider's data sheet gives it.

    Raises ValueError that names the bad field.
    """

    host: str
    """Domain or IP address: the host of the numbers' URIs."""
    port: int = DEFAULT_PORT
    username: str = ""
    """Empty: the provider knows us by our address."""
    password: str = field(default="", repr=False)
    from_number: str = ""
    """What a call shows when its request names no number."""
    outbound_proxy: str = ""
    """`host` or `host:port` that gets the packets instead of `host`."""
    transport: Transport = Transport.UDP
    gateways: tuple[tuple[str, int], ...] = ()
    """Hosts and ports that are tried in this order instead of `host`; without any there is only that."""
    encryption: Encryption = Encryption.NONE
    """Of the audio: its keys travel in the messages, so that they are worth something by TLS only."""

    codecs: tuple[Codec, ...] = (Codec.PCMU, Codec.PCMA)
    """What is offered, the best one first."""

    def __post_init__(self) -> None:
        for name, value in (("host", self.host), ("outbound_proxy", self.outbound_proxy)):
            try:
                if value or name == "host":
                    split_host_port(bracketed(value) if name == "host" else value)
            except ValueError as error:
                raise ValueError(f"trunk {name}: {value!r} is no host name or address ({error})") from error
        if not 0 < self.port < 65536:
            raise ValueError(f"trunk port: {self.port} is outside 1-65535")

    @property
    def hop(self) -> Hop:
        """Where the packets go."""
        if not self.outbound_proxy:
            # The default port is what nobody said: then SRV records do, or the transport (RFC 3263).
            port = None if self.port == DEFAULT_PORT else self.port
            return Hop(self.host.strip("[]"), port, self.transport)
        host, port = split_host_port(self.outbound_proxy)
        return Hop(host.strip("[]"), port, self.transport)

    @property
    def hops(self) -> tuple[Hop, ...]:
        """Where the packets go, one after the other."""
        if not self.gateways or self.outbound_proxy:
            return (self.hop,)
        return tuple(replace(self, host=host, port=port, gateways=()).hop for host, port in self.gateways)

    @property
    def credentials(self) -> Credentials | None:
        return Credentials(self.username, self.password) if self.username else None


class SipCarrier:
    """Implements `media.leg.Carrier` over one trunk."""

    def __init__(self, endpoint: Endpoint, trunk: Trunk) -> None:
        self._endpoint = endpoint
        self._trunk = trunk

    @property
    def name(self) -> str:
        return "sip-trunk"

    def new_call_id(self) -> str:
        return f"{secrets.token_hex(16)}@{bracketed(self._endpoint.address[0])}"

    async def dial(self, request: DialRequest) -> SipLeg:
        invitations = self._invitations(request)
        leg = SipLeg(request.call_id)
        endpoint = self._endpoint
        try:
            rtp = await RtpStream.open(endpoint.media_host, endpoint.rtp_ports, leg.on_digit)
        except NoPortError:
            leg.finish(causes.failed(Trouble.NO_PORT))
            return leg
        negotiation = Negotiation(
            endpoint.address[0], rtp.local_port, self._trunk.encryption, self._trunk.codecs
        )
        call = Hunt(endpoint.agent, invitations, negotiation, leg.on_call_event, self._gateway_failed)
        leg.attach(call, rtp)
        leg.limit_silence(endpoint.agent.timers, endpoint.rtp_timeout_s)
        ring_over = endpoint.agent.timers.call_later(
            request.ring_timeout_s, lambda: leg.end(HangupCause.RING_TIMEOUT)
        )
        leg.limit_ringing(ring_over)
        call.start()
        return leg

    def _gateway_failed(self, place: int, why: str) -> None:
        hop = self._trunk.hops[place]
        log.warning("SIP: gateway %s:%s failed a call (%s); the next one is tried", hop.host, hop.port, why)

    def _invitations(self, request: DialRequest) -> list[Invitation]:
        """One for each gateway. Raises ValueError on headers that would break the message."""
        trunk = self._trunk
        found = []
        for hop in trunk.hops:
            # The numbers' URIs name the gateway, unless a proxy stands before the trunk.
            host, port = (trunk.host, trunk.port) if trunk.outbound_proxy else (hop.host, hop.port)
            host = bracketed(host)
            target = SipUri.of(request.to_number, host, None if port == DEFAULT_PORT else port)
            caller = SipUri.of(request.from_number or trunk.from_number, host)
            found.append(
                Invitation(
                    target=target,
                    local=NameAddr(str(caller)),
                    hop=hop,
                    call_id=request.call_id,
                    credentials=trunk.credentials,
                    headers=Headers(request.headers.items()),
                    in_time=request.in_time,
                )
            )
        return found
