"""Logging of every process: one line an event, to standard error."""

from __future__ import annotations

import logging
import sys


def configure(level: str, process: str) -> None:
    """`process` names the role in every line (api, worker-0, speech)."""
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format=f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s",
        force=True,
    )
    for noisy in ("httpx", "httpcore", "httpx2", "httpcore2", "openai", "alembic", "uvicorn"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.root.level))
