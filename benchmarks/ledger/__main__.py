"""The ledger at 100 thousand and a million executions, on SQLite and PostgreSQL, beside what else could serve them.

    python -m benchmarks.ledger [--rows 100k,1m] [--store sqlite,postgresql] [--part lists,pages,plans] [--folder F]

Databases are built once and kept in the folder. Ends with one line of JSON a store; the ratios are of medians of
interleaved runs. See lists.py, pages.py and plans.py for what is measured.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.ledger import lists, pages, plans
from benchmarks.ledger.build import ready
from benchmarks.ledger.data import CHUNK
from benchmarks.ledger.postgresql import Postgresql
from benchmarks.ledger.programs import Missing, program
from benchmarks.ledger.sqlite import Sqlite
from benchmarks.ledger.stores import Store

STORES: Final = {"sqlite": Sqlite, "postgresql": Postgresql}
PARTS: Final = ("lists", "pages", "plans")


def main() -> None:
    options = _options()
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name in ("curl", "nginx"):
            program(name)
        stores = [STORES[name](folder) for name in options.store]
    except Missing as missing:
        sys.exit(f"bench-ledger: {missing}")
    with _alone(folder):
        print(f"{os.cpu_count()} cores, databases in {folder}")
        figures = [_measure(store, sorted(options.rows), options.part, folder) for store in stores]
    for figure in figures:
        print(json.dumps(figure))


def _measure(store: Store, sizes: list[int], parts: list[str], folder: Path) -> dict[str, object]:
    store.start()
    try:
        names = {rows: ready(store, rows, folder) for rows in sizes}
        small, large = sizes[0], sizes[-1]
        figures: dict[str, object] = {"store": store.name}
        if "lists" in parts:
            found = {rows: lists.measure(store, names[rows], rows, folder) for rows in sizes}
            figures |= _list_figures(found, small, large)
        if "pages" in parts:
            page = pages.measure(store, names[large], large, folder)
            figures |= {
                "page1_rps_over_orm": _round(page.rps_over_orm),
                "deep_cursor_time_over_first": _round(page.cursor_over_first),
                "deep_number_speed_over_offset": _round(page.number_over_offset),
                "total_time_over_none": _round(page.total_over_none),
            }
        if "plans" in parts:
            plans.show(store, names[large], large, folder)
        return figures
    finally:
        store.stop()


def _list_figures(found: dict[int, lists.Lists], small: int, large: int) -> dict[str, object]:
    taken = found[small].seconds
    first, last = _label(small), _label(large)
    figures: dict[str, object] = {f"list_{first}_time_over_copy": _round(taken["ours"] / taken["copy"])}
    if "orm" in taken:
        figures[f"list_{first}_rows_over_orm"] = _round(taken["orm"] / taken["ours"])
    return figures | {
        f"list_{last}_time_over_nginx": _round(found[large].seconds["ours"] / found[large].seconds["nginx"]),
        "rss_growth_mb": _round(max(one.growth_mb for one in found.values())),
        f"ttfb_{last}_ms": _round(found[large].first_ms),
        "cold_over_warm": _round(max(one.cold_over_warm for one in found.values())),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.ledger")
    folder = os.environ.get("RINGBACK_BENCH_FOLDER") or Path(tempfile.gettempdir()) / "ringback-bench-ledger"
    parser.add_argument("--rows", type=_sizes, default="100k,1m", help="executions of the measured agent")
    parser.add_argument("--store", type=_some(tuple(STORES)), default=",".join(STORES))
    parser.add_argument("--part", type=_some(PARTS), default=",".join(PARTS))
    parser.add_argument(
        "--folder", type=Path, default=folder, help="where databases are kept (RINGBACK_BENCH_FOLDER)"
    )
    return parser.parse_args()


def _sizes(text: str) -> list[int]:
    sizes = [int(part.lower().replace("m", "000k").replace("k", "000")) for part in text.split(",")]
    if any(size < CHUNK or size % CHUNK for size in sizes):
        raise argparse.ArgumentTypeError(f"multiples of {CHUNK}, such as 20k or 1m")
    return sizes


def _some(known: tuple[str, ...]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := set(chosen) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: known are {', '.join(known)}")
        return chosen

    return parse


def _label(rows: int) -> str:
    return f"{rows // 1_000_000}m" if rows % 1_000_000 == 0 else f"{rows // 1000}k"


def _round(value: float) -> float:
    return round(value, 3)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            sys.exit(f"bench-ledger: another run uses {folder}")
        yield


if __name__ == "__main__":
    main()
