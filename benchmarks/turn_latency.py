"""Turn latency of the fully local stack: the demo's call three times, one after the other.

    python -m benchmarks.turn_latency

From the end of the person's voice to the first sound of the agent, in the recording that the person itself makes.
It can only be given in milliseconds, so each run is shown with the load of the machine. Ends with one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
from statistics import median

from ringback.demo.check import turn_gaps_ms
from ringback.demo.run import run

RUNS = 3


def main() -> None:
    runs = []
    for number in range(1, RUNS + 1):
        load = os.getloadavg()[0]
        gaps = turn_gaps_ms(asyncio.run(run(lambda what, text: None)))
        runs.append(gaps)
        print(
            f"run {number}: p50 {median(gaps):.0f} ms, worst {max(gaps)} ms, turns {gaps}, load before {load:.2f}"
        )
    everything = [gap for gaps in runs for gap in gaps]
    figures = {
        "turn_p50_ms": round(median(everything)),
        "turn_worst_ms": max(everything),
        "turns": len(everything),
        "runs": RUNS,
        "cores": os.cpu_count(),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
