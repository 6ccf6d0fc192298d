"""The audio of one call over RTP: a UDP socket, in 20 ms frames both ways."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ringback.clock import Clock, SystemClock
from ringback.media.concealment import Concealment
from ringback.media.dtmf import DtmfReceiver
from ringback.media.dtmf_sender import DtmfSender, Pressed
from ringback.media.dtmf_tones import ToneReceiver, tone
from ringback.media.frame import FRAME_SAMPLES, SILENCE, Frame
from ringback.media.g711 import Codec
from ringback.media.jitter_buffer import JitterBuffer
from ringback.media.latch import Address, SourceLatch
from ringback.media.leg import Digit
from ringback.media.rtp import RtpError, RtpPacket
from ringback.media.sequence import SequenceTracker
from ringback.media.srtp import Srtp, SrtpError, SrtpKeys

_MAX_DATAGRAM: Final = 2048
_MAX_PAYLOAD: Final = 1600
"""200 ms of G.711; nobody sends longer packets."""
_EXPEDITED_FORWARDING: Final = 46 << 2
_COMFORT_NOISE: Final = 13
"""RFC 3389: a sign of life in a silence; nothing to play."""
_CODECS: Final = {codec.payload_type: codec for codec in Codec}


class NoPortError(OSError):
    """No UDP port could be bound for a call; the message says where and what to do."""


@dataclass(frozen=True, slots=True)
class PortRange:
    """UDP ports for RTP, both ends included; only even ones are used (RFC 3550 section 11).

    Raises ValueError if it holds no even port that an ordinary user may bind.
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        if not (1024 <= self.low <= self.high <= 65535) or not self.even():
            raise ValueError(
                f"RTP ports {self.low}-{self.high}: give a range inside 1024-65535 with an even port in it"
            )

    def even(self) -> range:
        return range(self.low + self.low % 2, self.high + 1, 2)


@dataclass(frozen=True, slots=True)
class RtpStatistics:
    """Counts since the stream was opened."""

    packets_sent: int
    packets_received: int
    """Distinct audio and telephone-event packets of the peer."""
    packets_lost: int
    packets_late: int
    """Received, but after their turn."""
    packets_duplicated: int
    packets_rejected: int
    """Malformed, from a stranger, or of an unknown payload type."""
    foreign_payload_type: int | None
    """Of the last packet that came in a codec nobody agreed on."""
    send_errors: int
    frames_concealed: int
    """Frames made up in the place of missing ones; the silence of a peer that sends none included."""
    jitter_ms: float
    buffer_frames: int
    last_received: float | None
    """Monotonic seconds of the peer's last packet (the ground for an RTP timeout); None before the first."""


class RtpStream:
    """Open it before the offer (its port goes into the SDP), connect it with the answer, close it after.

    `read_frame` and `write_frame` are called once a tick. Nothing that arrives raises, and no error of the
    network closes the socket. Until `connect` it hears silence and sends nothing.
    """

    def __init__(self, sock: socket.socket, on_digit: Callable[[Digit], None], clock: Clock) -> None:
        """Use `open`."""
        self._loop = asyncio.get_running_loop()
        self._socket = sock
        self._clock = clock
        self.local_port: int = sock.getsockname()[1]
        self._latch: SourceLatch | None = None
        self._srtp: Srtp | None = None
        self._codec = Codec.PCMU
        self._payload_types: frozenset[int | None] = frozenset()
        self._dtmf = DtmfReceiver(on_digit)
        self._dtmf_payload_type: int | None = None
        self._tones: ToneReceiver | None = None
        """Where the peer knows no telephone-events."""
        self._on_digit = on_digit
        self._keys = DtmfSender()
        self._pressed_at = 0
        """RTP timestamp of the key that is being pressed."""
        self._buffer = JitterBuffer()
        self._concealment = Concealment()
        self._sequence = SequenceTracker()
        self._remote_ssrc: int | None = None
        self._last_received: float | None = None
        self._rejected = 0
        self._foreign: int | None = None
        self._listening = False
        self._sending = True
        self._marker = True
        self._ssrc = secrets.randbits(32)
        self._next_sequence_number = secrets.randbits(16)
        self._timestamp = secrets.randbits(32)
        self._owed = False
        """A frame was read, and the one that goes the other way has not been written yet."""
        self._sent = 0
        self._send_errors = 0
        self._closed = False
        self._loop.add_reader(sock, self._receive)

    @classmethod
    async def open(
        cls, host: str, ports: PortRange, on_digit: Callable[[Digit], None], clock: Clock | None = None
    ) -> RtpStream:
        """Bind a free even port of `ports` on `host`, an IP address of this machine. Raises NoPortError.

        `on_digit` is called from the event loop, once for each key the person has pressed and released.
        """
        return cls(_bind(host, ports), on_digit, clock or SystemClock())

    def connect(self, remote: tuple[str, int], codec: Codec, dtmf_payload_type: int | None) -> None:
        """Set what the SDP answer says; call it again at every re-negotiation.

        `remote` is the peer's IP address (not a name) and port: packets go there until valid ones come from
        elsewhere. `dtmf_payload_type` is the number of `telephone-event`, None without. Raises ValueError on
        an impossible address.
        """
        host = str(ipaddress.ip_address(remote[0]))
        if not 0 < remote[1] < 65536:
            raise ValueError(f"RTP port {remote[1]} is outside 1-65535")
        if self._latch is None or self._latch.signalled != (host, remote[1]):
            self._latch = SourceLatch((host, remote[1]))
        self._codec = codec
        self._dtmf_payload_type = dtmf_payload_type
        if dtmf_payload_type is not None:
            self._tones = None
        elif self._tones is None:
            self._tones = ToneReceiver(self._on_digit)
        # Either law is taken: some peers send the other one of the offer.
        self._payload_types = frozenset({*_CODECS, _COMFORT_NOISE, dtmf_payload_type})

    def secure(self, keys: SrtpKeys | None) -> None:
        """Encrypt with these keys from now on, and take nothing that is not; None: plain audio. See `connect`."""
        if keys is None:
            self._srtp = None
        elif self._srtp is None:
            self._srtp = Srtp(keys)
        else:
            self._srtp.renew(keys)

    def pause(self, sending: bool) -> None:
        """Hold: `pause(sending=False)` stops sending, `sending=True` takes it up again. Reading goes on."""
        self._sending = sending
        self._marker = self._marker or not sending

    def read_frame(self) -> Frame:
        """The next 20 ms heard from the person; silence where nothing came. Not to be written to.

        What arrives before the first call is not kept: it would only delay what follows.
        """
        if self._owed:
            # A tick that never took place: its time has passed all the same, and the peer is to see a gap.
            self._timestamp = (self._timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        self._owed = True
        self._listening = True
        now = self._clock.monotonic()
        self._dtmf.poll(now)
        came = self._buffer.pop(now)
        frame = self._concealment.missing() if came is None else self._concealment.heard(came)
        return frame if self._tones is None else self._tones.hear(frame)

    def write_frame(self, frame: Frame) -> None:
        """Send 20 ms; dropped while not connected, on hold, or after `close`."""
        self._owed = False
        timestamp = self._timestamp
        # Time goes on during a hold: the peer hears a gap, not a jump.
        self._timestamp = (timestamp + FRAME_SAMPLES) & 0xFFFFFFFF
        if self._latch is None or not self._sending or self._closed:
            return
        packet = self._packet(frame, timestamp)
        self._next_sequence_number = (self._next_sequence_number + 1) & 0xFFFF
        self._marker = False
        try:
            data = packet.serialize()
            self._socket.sendto(self._srtp.protect(data) if self._srtp else data, self._latch.target)
        except (OSError, SrtpError):
            self._send_errors += 1
        else:
            self._sent += 1

    def send_digits(self, keys: str) -> None:
        """Press keys, one after the other, as telephone-events or else as tones: 5 a second, in place of what
        `write_frame` is given. They wait for `connect` and for the end of a hold. Raises ValueError, as
        `DtmfSender.press`."""
        self._keys.press(keys)

    def _packet(self, frame: Frame, timestamp: int) -> RtpPacket:
        kind, payload, marker = self._codec.payload_type, b"", self._marker
        pressed = self._keys.next()
        if pressed is None or self._dtmf_payload_type is None:
            payload = self._codec.encode(frame if pressed is None else _tone(pressed))
        else:
            kind, payload, marker = self._dtmf_payload_type, pressed.event.serialize(), pressed.tick == 0
            self._pressed_at = timestamp if pressed.tick == 0 else self._pressed_at
            timestamp = self._pressed_at
        return RtpPacket(kind, self._next_sequence_number, timestamp, self._ssrc, payload, marker)

    def statistics(self) -> RtpStatistics:
        return RtpStatistics(
            packets_sent=self._sent,
            packets_received=self._sequence.received,
            packets_lost=self._sequence.lost,
            packets_late=self._buffer.late,
            packets_duplicated=self._sequence.duplicated,
            packets_rejected=self._rejected,
            foreign_payload_type=self._foreign,
            send_errors=self._send_errors,
            frames_concealed=self._buffer.concealed,
            jitter_ms=self._buffer.jitter_ms,
            buffer_frames=self._buffer.depth,
            last_received=self._last_received,
        )

    def close(self) -> None:
        """Free the port. Idempotent."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _receive(self) -> None:
        # One a wake: the loop comes back for more, and a flood on one socket takes no turn from the others.
        try:
            data, source = self._socket.recvfrom(_MAX_DATAGRAM)
        except OSError:
            return
        self._accept(data, source[:2])

    def _accept(self, data: bytes, source: Address) -> None:
        if self._latch is None:
            return
        try:
            packet = RtpPacket.parse(self._srtp.unprotect(data) if self._srtp else data)
        except (RtpError, SrtpError):
            self._rejected += 1
            return
        now = self._clock.monotonic()
        if packet.payload_type not in self._payload_types:
            self._foreign = packet.payload_type
        if (
            packet.payload_type not in self._payload_types
            or len(packet.payload) > _MAX_PAYLOAD
            or not self._latch.admit(source, packet.ssrc, packet.sequence_number, now)
        ):
            self._rejected += 1
            return
        self._last_received = now
        if packet.ssrc != self._remote_ssrc:
            self._remote_ssrc = packet.ssrc
            self._sequence.restart()
            self._buffer.reset()
            self._dtmf.reset()
        if not self._sequence.accept(packet.sequence_number):
            return
        codec = _CODECS.get(packet.payload_type)
        if codec is None:
            if packet.payload_type != _COMFORT_NOISE:
                self._dtmf.receive(packet.timestamp, packet.payload, now)
        elif self._listening:
            self._buffer.push(packet.timestamp, codec.decode(packet.payload), now)


def _tone(pressed: Pressed) -> Frame:
    return tone(pressed.key, pressed.tick) if pressed.sounds else SILENCE


def _bind(host: str, ports: PortRange) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    candidates = ports.even()
    # A random start keeps a port that was just freed, and may still get packets, out of use for a while.
    start = secrets.randbelow(len(candidates))
    for offset in range(len(candidates)):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((host, candidates[(start + offset) % len(candidates)]))
        except OSError as error:
            sock.close()
            if error.errno != errno.EADDRINUSE:
                raise NoPortError(
                    f"cannot bind RTP on {host}: {error.strerror or error}; check the media address"
                ) from error
            continue
        if family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, _EXPEDITED_FORWARDING)
        return sock
    raise NoPortError(
        f"no free RTP port on {host} in {ports.low}-{ports.high}: widen the port range or run fewer calls"
    )
