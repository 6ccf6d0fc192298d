"""People who take every call and say a tone; prints the port of their SIP."""

from __future__ import annotations

import asyncio

from benchmarks.flood.talking import HOST, Line, ticking
from ringback.media.rtp_stream import PortRange
from ringback.media.ticker import Ticker
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall


async def main() -> None:
    ticker = Ticker()
    endpoint = await Endpoint.open(HOST, 0, PortRange(32000, 33999))

    async def take(call: IncomingCall) -> None:
        ticker.add(Line(await call.answer()))

    endpoint.on_invite = take
    print(endpoint.address[1], flush=True)
    async with ticking(ticker):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
