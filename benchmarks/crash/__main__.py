"""Kill the workers a thousand times while they dial, on both databases, and check what came of it.

    python -m benchmarks.crash [--kills 1000] [--seed N] [--store sqlite,postgresql] [--folder F]

Ends with one line of JSON a store; the status is 1 if there was a violation. Every process's log, the sink's and the
SQLite database stay in the folder if there was one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.crash.run import Plan, crash
from benchmarks.ledger.parts import STORES
from benchmarks.ledger.programs import Missing
from benchmarks.ledger.stores import Store
from ringback.store.migrate import upgrade


def main() -> None:
    options = _options()
    folder = options.folder or _folder()
    figures = []
    try:
        for name in options.store.split(","):
            (folder / name).mkdir(parents=True, exist_ok=True)
            figures.append(_run(STORES[name](folder), folder / name, Plan(options.kills, options.seed)))
    except Missing as missing:
        sys.exit(f"crash-test: {missing}")
    for figure in figures:
        print(json.dumps(figure))
    if any(count for figure in figures for name, count in figure.items() if name not in ("store", "kills")):
        sys.exit(f"crash-test: what happened is in {folder}")
    if not options.folder:
        shutil.rmtree(folder)


def _folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="ringback-crash-"))
    made.chmod(0o711)  # PostgreSQL runs as another user, and has its folder in it
    return made


def _run(store: Store, folder: Path, plan: Plan) -> dict[str, Any]:
    store.start()
    try:
        database = f"crash_{int(time.time())}"
        store.create(database)
        asyncio.run(upgrade(store.url(database)))
        started = time.monotonic()
        print(f"{store.name}: {plan.kills} kills of {plan.workers} workers, seed {plan.seed}", flush=True)
        report = asyncio.run(crash(store.url(database), folder, plan))
        print(f"{store.name}: {time.monotonic() - started:.0f} s; {report.sights()}", flush=True)
        print(report.first_of_each(), flush=True)
        figures = report.figures()
        asked = ("kills", "double_dials", "lost", "slots_leaked", "not_terminal")
        others = sum(count for name, count in figures.items() if name not in asked)
        return {"store": store.name, **{name: figures[name] for name in asked}, "other_violations": others}
    finally:
        store.stop()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.crash")
    parser.add_argument(
        "--kills", type=int, default=1000, help="signals to workers, SIGKILL and SIGSTOP together"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--store", default=",".join(STORES))
    parser.add_argument(
        "--folder", type=Path, help="where logs are kept; without it: while there are violations"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
