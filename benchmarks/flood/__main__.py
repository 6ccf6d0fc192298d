"""Floods of SIP requests beside live calls: how late do the calls' frames become?

    python -m benchmarks.flood [--calls 20] [--rate 2000] [--seconds 10]

A worker's SIP side (socket, guard, user agent, RTP, the ticker) holds calls with audio both ways to people in another
process; a third one sends requests: REGISTERs of a stranger where only the trunk is known, INVITEs and a scanner's
OPTIONS of a stranger where everybody may call, INVITEs from the very address of the trunk, and OPTIONS by TCP. Of each
flood: the lateness of the frames, and whether all calls are still up and heard. Ends with one line of JSON;
`worst_p99_ms` is the worst flood's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from benchmarks.flood.talking import HOST, Line, ticking
from ringback.media.leg import Answered, DialRequest, HangupCause
from ringback.media.rtp_stream import PortRange
from ringback.media.ticker import Ticker
from ringback.telephony.sip.carrier import SipCarrier, Trunk
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.guard import Guard
from ringback.telephony.sip.inbound import IncomingCall

STRANGER: Final = "127.0.0.2"
SCANNER: Final = "127.0.0.3"
"""It is not heard any more after its first request, so that it can have no other part."""


@dataclass(frozen=True, slots=True)
class Flood:
    kind: str
    source: str
    strangers_welcome: bool = True


FLOODS: Final = {
    "register": Flood("register", STRANGER, strangers_welcome=False),
    "invite": Flood("invite", STRANGER),
    "scanner": Flood("scanner", SCANNER),
    "trunk_invite": Flood("invite", HOST),
    "tcp": Flood("tcp", STRANGER),
}


async def measured(calls: int, rate: int, seconds: float) -> dict[str, float | int]:
    ticker = Ticker()
    guard = Guard(asyncio.get_running_loop().time)
    endpoint = await Endpoint.open(HOST, 0, PortRange(30000, 31999), guard=guard)
    endpoint.on_invite = _busy
    async with _process("people") as people, ticking(ticker):
        assert people.stdout is not None
        port = int(await people.stdout.readline())
        lines = await _dialled(endpoint, port, calls, ticker)
        gc.collect()
        gc.freeze()  # as a worker does
        await asyncio.sleep(seconds)
        figures: dict[str, float | int] = {
            "calls": calls,
            "rate": rate,
            "quiet_p99_ms": _p99(ticker, seconds),
        }
        for name, flood in FLOODS.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            guard.known = None if flood.strangers_welcome else HOST.__eq__
            figures[f"{name}_p99_ms"] = await _flooded(endpoint, flood, ticker, rate, seconds)
        figures["worst_p99_ms"] = max(float(figures[f"{name}_p99_ms"]) for name in FLOODS)
        figures["refused"] = guard.refused
        figures["lost_calls"] = sum(not line.alive for line in lines)
        await asyncio.gather(*(line.leg.hangup(HangupCause.NORMAL) for line in lines))
    await endpoint.close()
    return figures


async def _busy(call: IncomingCall) -> None:
    call.reject(486)


async def _dialled(endpoint: Endpoint, port: int, calls: int, ticker: Ticker) -> list[Line]:
    carrier = SipCarrier(endpoint, Trunk(HOST, port))
    lines = []
    for number in range(calls):
        leg = await carrier.dial(DialRequest(carrier.new_call_id(), f"+1555{number:07}", "+15550100"))
        while not isinstance(await leg.next_event(), Answered):
            pass
        lines.append(Line(leg))
        ticker.add(lines[-1])
    return lines


async def _flooded(endpoint: Endpoint, flood: Flood, ticker: Ticker, rate: int, seconds: float) -> float:
    host, port = endpoint.address
    arguments = (flood.kind, flood.source, host, str(port), str(rate), str(seconds))
    async with _process("flooder", *arguments) as flooder:
        await flooder.wait()
        if flooder.returncode:
            raise SystemExit(f"the flood could not be sent: status {flooder.returncode}")
        return _p99(ticker, seconds)


def _p99(ticker: Ticker, seconds: float) -> float:
    return round(ticker.lateness(seconds).p99_ms, 2)


@contextlib.asynccontextmanager
async def _process(module: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"benchmarks.flood.{module}", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--rate", type=int, default=2000, help="requests a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each flood")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(measured(options.calls, options.rate, options.seconds))))


if __name__ == "__main__":
    main()
