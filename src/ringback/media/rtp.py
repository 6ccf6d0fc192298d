"""The RTP packet on the wire (RFC 3550 section 5.1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

_FIXED_HEADER: Final = struct.Struct("!BBHII")
_EXTENSION_HEADER: Final = struct.Struct("!HH")
_VERSION: Final = 2


class RtpError(ValueError):
    """Not an RTP packet, or one that cannot be written; the message says which field."""


@dataclass(frozen=True, slots=True)
class HeaderExtension:
    """RFC 3550 section 5.3.1: `data` is a whole number of 32-bit words."""

    profile: int
    data: bytes


@dataclass(slots=True)
class RtpPacket:
    """Fields of RFC 3550 section 5.1; `padding` is the number of padding octets, its own count included."""

    payload_type: int
    sequence_number: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False
    csrc: tuple[int, ...] = ()
    extension: HeaderExtension | None = None
    padding: int = 0

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Read one datagram. Raises RtpError where it is not a well-formed RTP packet."""
        if len(data) < _FIXED_HEADER.size:
            raise RtpError(f"{len(data)} octets are shorter than an RTP header")
        flags, kind, sequence_number, timestamp, ssrc = _FIXED_HEADER.unpack_from(data)
        if flags >> 6 != _VERSION:
            raise RtpError(f"RTP version {flags >> 6} is not 2")
        packet = cls(kind & 0x7F, sequence_number, timestamp, ssrc, b"", kind >= 0x80)
        if flags & 0x3F:
            packet._parse_optional(data, flags)
        else:
            packet.payload = data[_FIXED_HEADER.size :]
        return packet

    def _parse_optional(self, data: bytes, flags: int) -> None:
        start = _FIXED_HEADER.size + 4 * (flags & 0x0F)
        if start > len(data):
            raise RtpError("the CSRC list is cut off")
        self.csrc = struct.unpack_from(f"!{flags & 0x0F}I", data, _FIXED_HEADER.size)
        if flags & 0x10:
            self.extension = _parse_extension(data, start)
            start += _EXTENSION_HEADER.size + len(self.extension.data)
        end = len(data)
        if flags & 0x20:
            self.padding = data[-1]
            end -= self.padding
            if self.padding == 0 or end < start:
                raise RtpError(f"a padding of {self.padding} octets does not fit the packet")
        self.payload = data[start:end]

    def serialize(self) -> bytes:
        """The datagram. Raises RtpError where a field does not fit its place."""
        flags = _VERSION << 6 | bool(self.padding) << 5 | (self.extension is not None) << 4 | len(self.csrc)
        if len(self.csrc) > 15 or not 0 <= self.padding <= 255 or not 0 <= self.payload_type <= 127:
            raise RtpError("more than 15 CSRCs, more than 255 octets of padding, or a payload type over 127")
        kind = self.marker << 7 | self.payload_type
        try:
            header = _FIXED_HEADER.pack(flags, kind, self.sequence_number, self.timestamp, self.ssrc)
            if flags & 0x3F:
                header += struct.pack(f"!{len(self.csrc)}I", *self.csrc) + _serialize_extension(
                    self.extension
                )
        except struct.error as error:
            raise RtpError(f"a header field is out of range: {error}") from None
        if self.padding:
            return header + self.payload + bytes(self.padding - 1) + bytes([self.padding])
        return header + self.payload


def _parse_extension(data: bytes, start: int) -> HeaderExtension:
    body = start + _EXTENSION_HEADER.size
    if body > len(data):
        raise RtpError("the header extension is cut off")
    profile, words = _EXTENSION_HEADER.unpack_from(data, start)
    if body + 4 * words > len(data):
        raise RtpError(f"a header extension of {words} words is longer than the packet")
    return HeaderExtension(profile, data[body : body + 4 * words])


def _serialize_extension(extension: HeaderExtension | None) -> bytes:
    if extension is None:
        return b""
    if len(extension.data) % 4:
        raise RtpError("a header extension must be a whole number of 32-bit words")
    return _EXTENSION_HEADER.pack(extension.profile, len(extension.data) // 4) + extension.data
