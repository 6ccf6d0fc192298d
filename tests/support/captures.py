"""Captured packets for sipp to play: keys on a keypad, as tones or as telephone-events."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from ringback.media.dtmf_sender import DtmfSender
from ringback.media.dtmf_tones import tone
from ringback.media.frame import SILENCE
from ringback.media.g711 import Codec
from ringback.media.rtp import RtpPacket

EVENTS = 101
"""The payload type that sipp's scenarios offer."""


def tones(keys: str) -> bytes:
    """mu-law audio: each key for 100 ms, and as long a pause."""
    frames = [SILENCE] * 5
    for key in keys:
        frames += [*(tone(key, tick) for tick in range(5)), *[SILENCE] * 5]
    payloads = (Codec.PCMU.encode(np.asarray(frame)) for frame in frames)
    packets = [RtpPacket(0, number, number * 160, 7, payload) for number, payload in enumerate(payloads)]
    return _capture([(packet.timestamp // 8, packet) for packet in packets])


def events(keys: str) -> bytes:
    """Telephone-events, the first at once."""
    return _capture(list(_events(keys)))


def _events(keys: str) -> Iterator[tuple[int, RtpPacket]]:
    sender, began = DtmfSender(), 0
    sender.press(keys)
    for tick in range(len(keys) * 10):
        pressed = sender.next()
        if pressed is not None:
            began = tick * 160 if pressed.tick == 0 else began
            yield tick * 20, RtpPacket(EVENTS, tick, began, 7, pressed.event.serialize(), pressed.tick == 0)


def _capture(packets: list[tuple[int, RtpPacket]]) -> bytes:
    """A file of libpcap, with the moment of each packet in milliseconds."""
    capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    here = b"\x7f\0\0\1"
    for at_ms, packet in packets:
        rtp = packet.serialize()
        udp = struct.pack("!HHHH", 4000, 4000, 8 + len(rtp), 0) + rtp
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, here, here)
        frame = b"\0" * 12 + b"\x08\0" + ip + udp
        capture += struct.pack("<IIII", at_ms // 1000, at_ms % 1000 * 1000, len(frame), len(frame)) + frame
    return capture
