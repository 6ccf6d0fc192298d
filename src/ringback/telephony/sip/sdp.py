"""Session descriptions of one audio stream (RFC 8866) and the offer/answer of them (RFC 3264)."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ringback.media.g711 import Codec
from ringback.media.srtp import SrtpKeys
from ringback.telephony.sip.crypto import CryptoLine, Encryption, Keyring, read_lines

CONTENT_TYPE: Final = "application/sdp"
MAX_SDP: Final = 16_384
_MAX_STREAMS: Final = 16
_EVENT_TYPE: Final = 101
_OFFERED: Final = (Codec.PCMU, Codec.PCMA)
_PLAIN: Final = ("RTP/AVP", "RTP/AVPF")
_SECURE: Final = ("RTP/SAVP", "RTP/SAVPF")
_BY_FORMAT: Final = {str(codec.payload_type): codec for codec in _OFFERED}


class SdpError(ValueError):
    """A description that cannot be read or agreed on; the message never repeats it."""


class Direction(StrEnum):
    """Who sends, from the point of view of whoever wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def reversed(self) -> Direction:
        return _REVERSED.get(self, self)


_REVERSED: Final = {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}
_HOLDING: Final = {Direction.SENDRECV: Direction.SENDONLY, Direction.RECVONLY: Direction.INACTIVE}


@dataclass(frozen=True, slots=True)
class Stream:
    """One m= line of a peer."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    host: str
    """An IP address; "" without one."""
    codecs: tuple[Codec, ...]
    """What we can speak, in the peer's order; G.711 on its static payload types only."""
    event_type: int | None
    """Payload type of telephone-event."""
    direction: Direction
    crypto: tuple[CryptoLine, ...] = ()
    """Keys for SRTP."""

    @property
    def secure(self) -> bool:
        """Whether it may carry nothing but SRTP."""
        return self.protocol in _SECURE

    @property
    def usable(self) -> bool:
        fits = self.kind == "audio" and (self.protocol in _PLAIN or (self.secure and bool(self.crypto)))
        return fits and self.port > 0 and bool(self.codecs and self.host)


@dataclass(frozen=True, slots=True)
class Media:
    """What offer and answer agreed on, from our point of view."""

    remote: tuple[str, int] | None
    """Where the peer hears us; None where it gives no address (a hold of RFC 2543, c=0.0.0.0)."""
    codec: Codec
    dtmf_payload_type: int | None
    may_send: bool
    """False while the peer holds us."""
    srtp: SrtpKeys | None = None
    """Keys of the audio; None: it is not encrypted."""
    protocol: str = _PLAIN[0]


def welcome(accept: list[str]) -> bool:
    """Whether a peer whose Accept header fields these are takes our descriptions; without any it does."""
    ranges = {value.partition(";")[0].strip().lower() for value in accept}
    return not ranges or not ranges.isdisjoint((CONTENT_TYPE, "application/*", "*/*"))


def parse(body: bytes) -> list[Stream]:
    """Read the media lines of a description. Raises SdpError."""
    if len(body) > MAX_SDP:
        raise SdpError("description too large")
    lines = [line.strip() for line in body.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines or not lines[0].startswith("v="):
        raise SdpError("not a session description")
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    if not starts or len(starts) > _MAX_STREAMS:
        raise SdpError("no media, or too many")
    session = lines[: starts[0]]
    ends = [*starts[1:], len(lines)]
    return [_stream(lines[start:end], session) for start, end in zip(starts, ends, strict=True)]


def _stream(lines: list[str], session: list[str]) -> Stream:
    words = lines[0][2:].split()
    port = words[1].partition("/")[0] if len(words) > 3 else ""
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) < 65536):
        raise SdpError("bad media line")
    codecs, event_type = _payloads(words[3:], _attributes(lines, "rtpmap"))
    return Stream(
        kind=words[0].lower(),
        port=int(port),
        protocol=words[2].upper(),
        formats=tuple(words[3:]),
        host=_connection(lines) or _connection(session) or "",
        codecs=codecs,
        event_type=event_type,
        direction=_direction(lines) or _direction(session) or Direction.SENDRECV,
        crypto=read_lines(_attributes(lines, "crypto")),
    )


def _payloads(formats: list[str], rtpmaps: list[str]) -> tuple[tuple[Codec, ...], int | None]:
    names: dict[str, str] = {}
    for rtpmap in rtpmaps:
        payload_type, _, encoding = rtpmap.partition(" ")
        names[payload_type] = encoding.strip().upper()
    codecs: list[Codec] = []
    event_type: int | None = None
    for name in formats:
        codec = _BY_FORMAT.get(name)
        if codec is not None and names.get(name, codec.name).startswith(codec.name):
            codecs.append(codec)
        elif (
            names.get(name) == "TELEPHONE-EVENT/8000"
            and event_type is None
            and name.isascii()
            and name.isdigit()
        ):
            event_type = int(name[:3]) & 0x7F
    return tuple(codecs), event_type


def _attributes(lines: list[str], name: str) -> list[str]:
    return [line[len(name) + 3 :].strip() for line in lines if line.startswith(f"a={name}:")]


def _connection(lines: list[str]) -> str | None:
    """The address of a c= line; only a literal address is taken, so no name is ever looked up."""
    for line in lines:
        if line.startswith("c="):
            address = line[2:].rpartition(" ")[2].partition("/")[0]
            try:
                return str(ipaddress.ip_address(address))
            except ValueError as error:
                raise SdpError("connection address is not an IP address") from error
    return None


def _direction(lines: list[str]) -> Direction | None:
    values = {direction.value for direction in Direction}
    return next((Direction(line[2:]) for line in lines if line[:2] == "a=" and line[2:] in values), None)


class Negotiation:
    """Our side of the descriptions of one call: writes offers and answers, and keeps what was agreed."""

    def __init__(
        self,
        host: str,
        port: int,
        encryption: Encryption = Encryption.NONE,
        codecs: tuple[Codec, ...] = _OFFERED,
    ) -> None:
        """`codecs`: what an offer names, the best one first."""
        self.agreed: Media | None = None
        self._keyring = Keyring(encryption)
        self.holding = False
        """Whether we hold the peer: what we write then asks for no audio."""
        self._codecs = codecs
        self._host = host
        self._port = port
        self._id = secrets.randbelow(2**31)
        self._version = 0
        self._written = b""

    def offer(self) -> bytes:
        """An offer of everything we speak, or of what was agreed before."""
        agreed = self.agreed
        if agreed is None:
            protocol = _SECURE[0] if self._keyring.required else _PLAIN[0]
            audio = self._audio(
                self._codecs, _EVENT_TYPE, Direction.SENDRECV, protocol, self._keyring.offer()
            )
        else:
            crypto = self._keyring.offer(agreed.srtp) if agreed.srtp else ()
            audio = self._audio(
                (agreed.codec,), agreed.dtmf_payload_type, Direction.SENDRECV, agreed.protocol, crypto
            )
        return self._write([audio])

    def again(self) -> bytes:
        """The description that holds, as it was last written: an offer that changes nothing."""
        return self._written

    def accept(self, answer: bytes) -> Media:
        """Take the peer's answer to our offer. Raises SdpError when it agrees on no audio."""
        stream = next((stream for stream in parse(answer) if stream.usable), None)
        if stream is None:
            raise SdpError("no common codec")
        keys = self._keyring.answered(stream.crypto)
        if keys is None and (stream.secure or self._keyring.required):
            raise SdpError("no encryption agreed on")
        self.agreed = _media(stream, keys)
        return self.agreed

    def answer(self, offer: bytes) -> tuple[bytes, Media]:
        """Answer the peer's offer: its first usable audio stream, the others refused. Raises SdpError."""
        streams = parse(offer)
        chosen = next((stream for stream in streams if stream.usable), None)
        if self._keyring.required:
            chosen = next((stream for stream in streams if stream.usable and stream.crypto), None)
        if chosen is None:
            raise SdpError("no common codec, or no encryption")
        crypto = self._keyring.chosen(chosen.crypto, chosen.secure)
        media = _media(chosen, crypto[1] if crypto else None)
        audio = self._audio(
            (media.codec,),
            media.dtmf_payload_type,
            chosen.direction.reversed,
            chosen.protocol,
            crypto[:1] if crypto else (),
        )
        lines = [
            audio if stream is chosen else [f"m={stream.kind} 0 {stream.protocol} {' '.join(stream.formats)}"]
            for stream in streams
        ]
        self.agreed = media
        return self._write(lines), media

    def _audio(
        self,
        codecs: tuple[Codec, ...],
        event_type: int | None,
        direction: Direction,
        protocol: str,
        crypto: tuple[CryptoLine, ...],
    ) -> list[str]:
        types = [codec.payload_type for codec in codecs]
        maps = [f"a=rtpmap:{codec.payload_type} {codec.name}/8000" for codec in codecs]
        if event_type is not None:
            types.append(event_type)
            maps += [f"a=rtpmap:{event_type} telephone-event/8000", f"a=fmtp:{event_type} 0-15"]
        if self.holding:
            direction = _HOLDING.get(direction, direction)
        media = f"m=audio {self._port} {protocol} {' '.join(str(number) for number in types)}"
        return [media, *maps, *(str(line) for line in crypto), "a=ptime:20", f"a={direction}"]

    def _write(self, streams: list[list[str]]) -> bytes:
        self._version += 1
        family = "IP6" if ":" in self._host else "IP4"
        lines = [
            "v=0",
            f"o=- {self._id} {self._version} IN {family} {self._host}",
            "s=-",
            f"c=IN {family} {self._host}",
            "t=0 0",
        ]
        for stream in streams:
            lines += stream
        self._written = "".join(f"{line}\r\n" for line in lines).encode()
        return self._written


def _media(stream: Stream, srtp: SrtpKeys | None) -> Media:
    direction = stream.direction
    nowhere = ipaddress.ip_address(stream.host).is_unspecified
    return Media(
        remote=None if nowhere else (stream.host, stream.port),
        codec=stream.codecs[0],
        dtmf_payload_type=stream.event_type,
        may_send=direction in (Direction.SENDRECV, Direction.RECVONLY) and not nowhere,
        srtp=srtp,
        protocol=stream.protocol,
    )
