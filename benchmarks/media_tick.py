"""CPU and lateness of the media path: calls in pairs that talk to each other over RTP on loopback.

`ringback_*` is everything of a call but inference: RTP both ways, jitter buffer, playout, recording; `rtp_*`
is the streams alone. The baseline in the same run sends and receives as many datagrams with bare asyncio
sockets. Ends in one line of JSON.

    python benchmarks/media_tick.py --calls 100 --seconds 20
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np

from ringback.media.call_audio import CallAudio
from ringback.media.frame import SAMPLE_RATE, Frame
from ringback.media.g711 import Codec
from ringback.media.playout import Playout
from ringback.media.recorder import Recorder
from ringback.media.rtp_stream import PortRange, RtpStream
from ringback.media.ticker import Ticker

_HOST = "127.0.0.1"
_PORTS = PortRange(20000, 40000)
_DATAGRAM = bytes(172)


class Ears:
    """A voice stream without a detector."""

    def push(self, frame: Frame) -> None:
        pass

    def take(self) -> list[float]:
        return []

    def close(self) -> None:
        pass


class BareCall(asyncio.DatagramProtocol):
    """The least that a call can do: send a datagram a tick, count what comes."""

    transport: asyncio.DatagramTransport
    received = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received += 1

    def tick(self) -> None:
        self.transport.sendto(_DATAGRAM, self.target)

    def settle(self) -> None:
        pass

    def skip(self, ticks: int) -> None:
        pass

    def failed(self, error: Exception) -> None:
        raise error

    @property
    def port(self) -> int:
        return int(self.transport.get_extra_info("sockname")[1])

    target: tuple[str, int]


class StreamCall:
    """RTP alone: sends back what it hears."""

    def __init__(self, stream: RtpStream) -> None:
        self.stream = stream

    def tick(self) -> None:
        self.stream.write_frame(self.stream.read_frame())

    def settle(self) -> None:
        pass

    def skip(self, ticks: int) -> None:
        pass

    def failed(self, error: Exception) -> None:
        fail(error)


def fail(error: Exception) -> None:
    raise SystemExit(f"a call failed: {error!r}")


async def measure(ticker: Ticker, seconds: float) -> tuple[float, float, float]:
    """Per cent of one core, p50 and p99 lateness in milliseconds, while the ticker runs for `seconds`."""
    task = asyncio.create_task(ticker.run())
    cpu, wall = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    busy = 100 * (time.process_time() - cpu) / (time.monotonic() - wall)
    ticker.stop()
    await task
    lateness = ticker.lateness()
    return busy, lateness.p50_ms, lateness.p99_ms


async def run_baseline(calls: int, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    ticker = Ticker()
    bare = [(await loop.create_datagram_endpoint(BareCall, local_addr=(_HOST, 0)))[1] for _ in range(calls)]
    for index, call in enumerate(bare):
        call.target = (_HOST, bare[index ^ 1].port)
        ticker.add(call)
    busy, p50, p99 = await measure(ticker, seconds)
    for call in bare:
        call.transport.close()
    return {
        "baseline_cpu_percent": busy,
        "baseline_lateness_p50_ms": p50,
        "baseline_lateness_p99_ms": p99,
        "baseline_packets_received_count": sum(call.received for call in bare),
    }


async def open_pairs(calls: int) -> list[RtpStream]:
    streams = [await RtpStream.open(_HOST, _PORTS, print) for _ in range(calls)]
    for index, stream in enumerate(streams):
        stream.connect((_HOST, streams[index ^ 1].local_port), Codec.PCMU, 101)
    return streams


async def run_rtp(calls: int, seconds: float) -> dict[str, float]:
    ticker = Ticker()
    streams = await open_pairs(calls)
    for stream in streams:
        ticker.add(StreamCall(stream))
    busy, p50, p99 = await measure(ticker, seconds)
    received = sum(stream.statistics().packets_received for stream in streams)
    for stream in streams:
        stream.close()
    return {
        "rtp_cpu_percent": busy,
        "rtp_lateness_p50_ms": p50,
        "rtp_lateness_p99_ms": p99,
        "rtp_packets_received_count": received,
    }


async def run_ringback(calls: int, seconds: float) -> dict[str, float]:
    ticker = Ticker()
    streams = await open_pairs(calls)
    speech = (np.random.default_rng(1).normal(0, 3000, int(seconds + 2) * SAMPLE_RATE)).astype(np.int16)
    with tempfile.TemporaryDirectory() as folder:
        recorders = []
        for index, stream in enumerate(streams):
            playout = Playout(lambda event: None)
            playout.append("speech", speech)
            recorders.append(Recorder(Path(folder) / f"{index}.wav"))
            CallAudio(ticker, stream, Ears(), playout, recorders[-1], fail).start()
        busy, p50, p99 = await measure(ticker, seconds)
        recordings = [await recorder.close() for recorder in recorders]
    counts = [stream.statistics() for stream in streams]
    for stream in streams:
        stream.close()
    return {
        "ringback_cpu_percent": busy,
        "ringback_lateness_p50_ms": p50,
        "ringback_lateness_p99_ms": p99,
        "ringback_skipped_count": ticker.lateness().skipped,
        "ringback_packets_received_count": sum(count.packets_received for count in counts),
        "ringback_packets_lost_count": sum(count.packets_lost for count in counts),
        "ringback_packets_late_count": sum(count.packets_late for count in counts),
        "ringback_frames_concealed_count": sum(count.frames_concealed for count in counts),
        "recording_shortest_ms": min(recording.duration_ms for recording in recordings),
        "recording_longest_ms": max(recording.duration_ms for recording in recordings),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=100, help="an even number")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    runs: list[Callable[[int, float], Awaitable[dict[str, float]]]] = [run_baseline, run_rtp, run_ringback]
    figures: dict[str, float] = {"calls_count": options.calls, "duration_s": options.seconds}
    for run in runs:
        figures |= asyncio.run(run(options.calls, options.seconds))  # type: ignore[arg-type]
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
