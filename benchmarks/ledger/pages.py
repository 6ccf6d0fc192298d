"""Pages of 20: requests a second and times, ours beside the ORM's and a bare OFFSET, at the start and far down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Final

from benchmarks.ledger import servers
from benchmarks.ledger.build import KEY
from benchmarks.ledger.client import PAGE, get_json
from benchmarks.ledger.data import ACCOUNT, AGENT
from benchmarks.ledger.programs import Server
from benchmarks.ledger.stores import Store
from ringback.executions.cursor import encode

SIZE: Final = 20
CONNECTIONS: Final = (1, 8)
_TIMEOUT_S: Final = 120
_ROUNDS: Final = 5
_SECONDS: Final = 1.5
_ROOT: Final = Path(__file__).parents[2]
_OF_AGENT: Final = (
    f"FROM executions WHERE account_id = '{ACCOUNT}' AND agent_id = '{AGENT}' ORDER BY seq DESC"
)


@dataclass(slots=True)
class Variant:
    """A request that is sent again and again, over so many connections."""

    name: str
    server: Server
    path: str
    connections: int
    took_s: float = 0.0
    times_ms: list[float] = field(default_factory=list)

    def measure(self) -> None:
        command = [sys.executable, "-m", "benchmarks.ledger.load", str(self.server.port), self.path, KEY]
        command += [str(self.connections), str(_SECONDS)]
        answer = subprocess.run(
            command, check=True, cwd=_ROOT, stdout=subprocess.PIPE, timeout=_TIMEOUT_S
        ).stdout
        took, *times = json.loads(answer)
        self.took_s += took
        self.times_ms += times

    @property
    def rps(self) -> float:
        return len(self.times_ms) / self.took_s

    @property
    def p50(self) -> float:
        return median(self.times_ms)

    @property
    def p99(self) -> float:
        return quantiles(self.times_ms, n=100)[98] if len(self.times_ms) > 1 else self.times_ms[0]


@dataclass(frozen=True, slots=True)
class Pages:
    rps_over_orm: float
    """Of the first page; the lower one of one connection and eight."""
    cursor_over_first: float
    number_over_offset: float
    """How many times faster than the bare OFFSET statement, which has no HTTP around it."""
    total_over_none: float
    """The worst one of no filter and each that has a counter."""


def deep_number(rows: int) -> int:
    """The page nine tenths down: 45,000 of a million rows."""
    return rows * 9 // 10 // SIZE


def deep_cursor(store: Store, database: str, rows: int) -> str:
    offset = (deep_number(rows) - 1) * SIZE
    return encode(store.fetch(database, f"SELECT seq {_OF_AGENT} LIMIT 1 OFFSET {offset - 1}")[0][0])


def measure(store: Store, database: str, rows: int, folder: Path) -> Pages:
    with tempfile.TemporaryDirectory(dir=folder) as name, ExitStack() as stack:
        api = servers.api(store.url(database), Path(name))
        stack.callback(api.stop)
        orm = servers.orm(store.orm_url(database), Path(name))
        stack.callback(orm.stop)
        number, cursor = deep_number(rows), deep_cursor(store, database, rows)
        paths = {
            "first": (api, PAGE),
            "first, no total": (api, f"{PAGE}?include_total=false"),
            "cursor": (api, f"{PAGE}?cursor={cursor}"),
            "cursor, no total": (api, f"{PAGE}?cursor={cursor}&include_total=false"),
            "number": (api, f"{PAGE}?page_number={number}"),
            "number, no total": (api, f"{PAGE}?page_number={number}&include_total=false"),
            "orm first": (orm, PAGE),
            "orm number": (orm, f"{PAGE}?page_number={number}"),
        }
        _check(paths)
        print(
            f"== {store.name}, pages of {SIZE} of {rows}, deep is {number}, load before {os.getloadavg()[0]:.2f}"
        )
        found = {
            (name, count): Variant(name, *target, count)
            for count in CONNECTIONS
            for name, target in paths.items()
        }
        statement = f"SELECT seq, body {_OF_AGENT} LIMIT {SIZE} OFFSET {(number - 1) * SIZE}"
        offset_ms: list[float] = []
        for _ in range(_ROUNDS):
            for variant in found.values():
                variant.measure()
            offset_ms += store.times_ms(database, statement, 3)
        _show(found.values())
        print(
            f"  {'OFFSET in plain SQL':46} 1 {'':10}{median(offset_ms):10.2f}{max(offset_ms):10.2f} (worst)"
        )
        total_over_none = max(
            found["first", 1].p50 / found["first, no total", 1].p50,
            found["number", 1].p50 / found["number, no total", 1].p50,
            _totals(store, database, api),
        )
    first, deep = found["first", 1], found["number", 1]
    print(f"  by number {found['orm number', 1].p50 / deep.p50:.1f} x as fast as the ORM's", flush=True)
    return Pages(
        rps_over_orm=min(found["first", count].rps / found["orm first", count].rps for count in CONNECTIONS),
        cursor_over_first=found["cursor", 1].p50 / first.p50,
        number_over_offset=median(offset_ms) / deep.p50,
        total_over_none=total_over_none,
    )


def _totals(store: Store, database: str, api: Server) -> float:
    """The first page of each single filter that has a counter, with total over without; the worst one."""
    statement = "SELECT batch_id FROM executions WHERE agent_id = :agent AND batch_id IS NOT NULL LIMIT 5000"
    batches = [batch for (batch,) in store.fetch(database, statement, {"agent": AGENT})]
    filters = (
        *("status=completed", "call_type=outbound", "provider=sip-trunk", "answered_by_voice_mail=true"),
        f"batch_id={max(batches, key=batches.count)}",
    )
    pairs = [
        (
            Variant(f"{name[:34]}", api, f"{PAGE}?{name}", 1),
            Variant(f"{name[:34]}, no total", api, f"{PAGE}?{name}&include_total=false", 1),
        )
        for name in filters
    ]
    for _ in range(_ROUNDS):
        for pair in pairs:
            for variant in pair:
                variant.measure()
    _show([variant for pair in pairs for variant in pair])
    return max(with_total.p50 / without.p50 for with_total, without in pairs)


def _check(paths: dict[str, tuple[Server, str]]) -> None:
    """All ways lead to the same executions."""
    ids = {name: [item["id"] for item in get_json(*target)["data"]] for name, target in paths.items()}
    for near in ("first, no total", "orm first"):
        if ids[near] != ids["first"]:
            raise RuntimeError(f"{near}: other executions than the first page's")
    for deep in ("cursor", "cursor, no total", "number, no total", "orm number"):
        if ids[deep] != ids["number"]:
            raise RuntimeError(f"{deep}: other executions than by page_number")


def _show(variants: Iterable[Variant]) -> None:
    print(f"  {'':46} n {'req/s':>10}{'p50 ms':>10}{'p99 ms':>10}")
    for one in variants:
        print(f"  {one.name:46} {one.connections} {one.rps:10.0f}{one.p50:10.2f}{one.p99:10.2f}", flush=True)
