"""A benchmark of parts, each measured on each store; ends with one line of JSON a store."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.ledger.postgresql import Postgresql
from benchmarks.ledger.programs import Missing
from benchmarks.ledger.sqlite import Sqlite
from benchmarks.ledger.stores import Store

STORES: Final = {"sqlite": Sqlite, "postgresql": Postgresql}
Parts = Mapping[str, Callable[[Store, argparse.Namespace], dict[str, Any]]]
"""By their names: what measures one, with the options of the command."""


def options(name: str, parts: Parts) -> argparse.ArgumentParser:
    """Of `benchmarks.<name>`: stores, parts, and the folder where databases are."""
    parser = argparse.ArgumentParser(prog=f"benchmarks.{name}")
    folder = Path(tempfile.gettempdir()) / f"ringback-bench-{name}"
    parser.add_argument("--store", default=",".join(STORES))
    parser.add_argument("--part", default=",".join(parts))
    parser.add_argument(
        "--folder",
        type=Path,
        default=os.environ.get("RINGBACK_BENCH_FOLDER", folder),
        help="where databases and files are",
    )
    return parser


def measure(parser: argparse.ArgumentParser, parts: Parts) -> None:
    """All of it, and print what was found."""
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    try:
        stores = [STORES[name](chosen.folder) for name in chosen.store.split(",")]
    except Missing as missing:
        sys.exit(f"{parser.prog}: {missing}")
    figures = [_of(store, parts, chosen) for store in stores]
    for figure in figures:
        print(json.dumps(figure))


def _of(store: Store, parts: Parts, chosen: argparse.Namespace) -> dict[str, Any]:
    store.start()
    try:
        figures: dict[str, Any] = {"store": store.name}
        for part in chosen.part.split(","):
            found = parts[part](store, chosen)
            print(f"{store.name} {part}: {json.dumps(found)}", flush=True)
            figures |= found
        return figures
    finally:
        store.stop()
