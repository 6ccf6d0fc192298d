"""Records completed a second and core, webhooks delivered a second, and seconds of an audit of 100,000 executions.

    python -m benchmarks.aftercall [--store sqlite,postgresql] [--part pipeline,webhooks,audit] [--calls 2000]

Ends with one line of JSON a store. See the modules for what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.aftercall import audit, pipeline, webhooks
from benchmarks.ledger.postgresql import Postgresql
from benchmarks.ledger.programs import Missing
from benchmarks.ledger.sqlite import Sqlite
from benchmarks.ledger.stores import Store

STORES: Final = {"sqlite": Sqlite, "postgresql": Postgresql}
_PARTS: Final[Mapping[str, Callable[[Store, argparse.Namespace], dict[str, Any]]]] = {
    "pipeline": lambda store, options: pipeline.run(store, options.folder, options.calls),
    "webhooks": lambda store, options: webhooks.run(store),
    "audit": lambda store, options: audit.run(store, options.executions),
}


def main() -> None:
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    try:
        stores = [STORES[name](options.folder) for name in options.store.split(",")]
    except Missing as missing:
        sys.exit(f"bench-aftercall: {missing}")
    figures = [_measured(store, options) for store in stores]
    for figure in figures:
        print(json.dumps(figure))


def _measured(store: Store, options: argparse.Namespace) -> dict[str, Any]:
    store.start()
    try:
        figures: dict[str, Any] = {"store": store.name}
        for part in options.part.split(","):
            found = _PARTS[part](store, options)
            print(f"{store.name} {part}: {json.dumps(found)}", flush=True)
            figures |= found
        return figures
    finally:
        store.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.aftercall")
    folder = Path(tempfile.gettempdir()) / "ringback-bench-aftercall"
    parser.add_argument("--store", default=",".join(STORES))
    parser.add_argument("--part", default=",".join(_PARTS))
    parser.add_argument("--calls", type=int, default=2000, help="that are completed")
    parser.add_argument("--executions", type=int, default=100_000, help="that are audited")
    parser.add_argument(
        "--folder",
        type=Path,
        default=os.environ.get("RINGBACK_BENCH_FOLDER", folder),
        help="where databases and recordings are",
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
