"""Dialling on SQLite and PostgreSQL: intake, latency, claims a second, idle CPU, and whether the limits hold.

    python -m benchmarks.dialling [--store sqlite,postgresql] [--part intake,latency,claims,idle,limits] [--lines 1m]

Ends with one line of JSON a store. See the modules for what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
from typing import Any, Final

from benchmarks.dialling import idle, intake, latency, limits, throughput
from benchmarks.ledger.parts import Parts, measure, options
from benchmarks.ledger.stores import Store

_WORKERS: Final = (1, 2, 4)
_ONCE: Final = 500_000
"""Files with so many lines take so long that noise averages out by itself."""


def main() -> None:
    parts: Parts = {
        "intake": _intake,
        "latency": _latency,
        "claims": _claims,
        "idle": _idle,
        "limits": _limits,
    }
    parser = options("dialling", parts)
    parser.add_argument(
        "--calls", type=int, default=1000, help="of the limits; latency takes half, claims 10 x, idle 100 x"
    )
    parser.add_argument("--lines", type=_sizes, default="100k,1m", help="of the files of the intake")
    parser.add_argument("--idle-s", type=float, default=60.0)
    measure(parser, parts)


def _intake(store: Store, options: argparse.Namespace) -> dict[str, Any]:
    figures = {}
    for lines in options.lines:
        rounds = 3 if lines < _ONCE else 1
        speed = asyncio.run(intake.measure(store, options.folder, lines, rounds))
        label = f"{lines // 1_000_000}m" if lines % 1_000_000 == 0 else f"{lines // 1000}k"
        figures[f"intake_{label}_speed_over_raw"] = round(speed.over_raw, 3)
        figures[f"intake_{label}_lines_per_s"] = round(lines / speed.intake_s)
    return figures


def _latency(store: Store, options: argparse.Namespace) -> dict[str, Any]:
    found = asyncio.run(latency.measure(store, options.folder, options.calls // 2, _WORKERS[-1]))
    return {
        "claim_to_invite_p50_ms": round(found.claim_to_invite[0], 1),
        "claim_to_invite_p95_ms": round(found.claim_to_invite[1], 1),
        "place_to_invite_p50_ms": round(found.place_to_invite[0], 1),
        "place_to_invite_p95_ms": round(found.place_to_invite[1], 1),
    }


def _claims(store: Store, options: argparse.Namespace) -> dict[str, Any]:
    return {
        f"claims_per_s_{workers}_worker{'s' if workers > 1 else ''}": round(
            asyncio.run(throughput.measure(store, options.folder, options.calls * 10, workers))
        )
        for workers in _WORKERS
    }


def _idle(store: Store, options: argparse.Namespace) -> dict[str, Any]:
    percent = asyncio.run(idle.measure(store, options.folder, options.calls * 100, options.idle_s))
    return {"idle_cpu_percent": round(percent, 2)}


def _limits(store: Store, options: argparse.Namespace) -> dict[str, Any]:
    seen = asyncio.run(limits.measure(store, options.folder, options.calls))
    return {
        "limits_most_open": seen.most_open,
        "limits_worst_second_granted": seen.worst_second_granted,
        "limits_worst_second_at_sink": seen.worst_second_at_sink,
        "limits_calls_per_s": round(seen.per_second, 2),
    }


def _sizes(text: str) -> list[int]:
    return [int(part.lower().replace("m", "000k").replace("k", "000")) for part in text.split(",")]


if __name__ == "__main__":
    main()
