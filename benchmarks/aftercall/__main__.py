"""Records completed a second and core, webhooks delivered a second, and seconds of an audit of 100,000 executions.

    python -m benchmarks.aftercall [--store sqlite,postgresql] [--part pipeline,webhooks,audit] [--calls 2000]

Ends with one line of JSON a store. See the modules for what is measured.
"""

from __future__ import annotations

from benchmarks.aftercall import audit, pipeline, webhooks
from benchmarks.ledger.parts import Parts, measure, options


def main() -> None:
    parts: Parts = {
        "pipeline": lambda store, chosen: pipeline.run(store, chosen.folder, chosen.calls),
        "webhooks": lambda store, _: webhooks.run(store),
        "audit": lambda store, chosen: audit.run(store, chosen.executions),
    }
    parser = options("aftercall", parts)
    parser.add_argument("--calls", type=int, default=2000, help="that are completed")
    parser.add_argument("--executions", type=int, default=100_000, help="that are audited")
    measure(parser, parts)


if __name__ == "__main__":
    main()
