"""Sends requests at a rate: `python -m benchmarks.flood.flooder KIND SOURCE HOST PORT RATE SECONDS`."""

from __future__ import annotations

import contextlib
import itertools
import socket
import sys
import time
from collections.abc import Iterator
from typing import Final

_BURSTS: Final = 200
"""A second, so that a burst is some ten requests."""
_METHODS: Final = {"register": "REGISTER", "invite": "INVITE", "scanner": "OPTIONS", "tcp": "OPTIONS"}
_SDP: Final = (
    "v=0\r\no=- 1 1 IN IP4 {source}\r\ns=-\r\nc=IN IP4 {source}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


def requests(kind: str, source: str) -> Iterator[bytes]:
    """Ever new ones."""
    method, transport = _METHODS[kind], "TCP" if kind == "tcp" else "UDP"
    body = _SDP.format(source=source) if method == "INVITE" else ""
    agent = "friendly-scanner" if kind == "scanner" else "Phone"
    for number in itertools.count():
        yield (
            f"{method} sip:{number % 10_000}@{source} SIP/2.0\r\n"
            f"Via: SIP/2.0/{transport} {source}:5099;branch=z9hG4bKflood{number};rport\r\n"
            f"From: <sip:{number}@{source}>;tag={number}\r\nTo: <sip:{number}@{source}>\r\n"
            f"Call-ID: flood{number}@{source}\r\nCSeq: 1 {method}\r\nContact: <sip:x@{source}:5099>\r\n"
            f"Max-Forwards: 70\r\nUser-Agent: {agent}\r\nContent-Type: application/sdp\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        ).encode()


def main(kind: str, source: str, target: tuple[str, int], rate: int, seconds: float) -> None:
    stream = kind == "tcp"
    with socket.socket(type=socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        sock.connect(target)
        sock.setblocking(False)
        flood = requests(kind, source)
        start, unsent = time.monotonic(), b""
        for burst in range(int(seconds * _BURSTS)):
            for data in itertools.islice(flood, rate // _BURSTS):
                # A peer that reads no faster slows us down by TCP: then nothing is sent.
                unsent = unsent if stream and unsent else data
                with contextlib.suppress(BlockingIOError):
                    unsent = unsent[sock.send(unsent) :]
            with contextlib.suppress(OSError):
                while sock.recv(65_536):
                    pass
            time.sleep(max(0.0, start + (burst + 1) / _BURSTS - time.monotonic()))


if __name__ == "__main__":
    kind, source, host, port, rate, seconds = sys.argv[1:]
    main(kind, source, (host, int(port)), int(rate), float(seconds))
