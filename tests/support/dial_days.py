"""Many simulated days of dialling, spread over the cores, and what happened on them."""

from __future__ import annotations

import gc
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from tests.support.dial_day import Report, live
from tests.support.dial_day_plan import DayPlan
from tests.support.dial_day_rules import DIARY
from tests.support.loop_database import LoopStore

T = TypeVar("T")


class BadDay(Exception):
    """A day with breaches: its name and what they were."""


def lived(plan: DayPlan, template: Path) -> Report:
    """In this process. `template` is an empty database of SQLite with its tables."""
    store, folder = _store(template)
    with warnings.catch_warnings():
        # Who dies leaves coroutines that never began.
        warnings.simplefilter("ignore", RuntimeWarning)
        return live(plan, store, folder)


@cache
def _store(template: Path) -> tuple[LoopStore, Path]:
    folder = template.with_name(f"uploads-{os.getpid()}")
    folder.mkdir(exist_ok=True)
    return LoopStore(template, DIARY), folder


def play(plans: Callable[[Any], DayPlan], names: Iterable[Any], template: Path) -> Counter[str]:
    """How often things happened on the days of these names. Raises BadDay."""
    happened: Counter[str] = Counter()
    gc.disable()
    for played, name in enumerate(names):
        if not played % 5:
            gc.collect()
        report = lived(plans(name), template)
        if report.wrong:
            raise BadDay(name, "\n".join([*report.wrong[:20], *report.killed]))
        happened.update(_happened(report))
    return happened


def play_all(plans: Callable[[Any], DayPlan], names: Sequence[Any], template: Path) -> Counter[str]:
    """As `play`, on all cores."""
    happened: Counter[str] = Counter()
    cores = len(os.sched_getaffinity(0))
    at_once = max(1, min(50, len(names) // (4 * cores)))
    with _apart(cores) as pool:
        days = [
            pool.submit(play, plans, names[at : at + at_once], template)
            for at in range(0, len(names), at_once)
        ]
        try:
            for some in as_completed(days):
                happened.update(some.result())
        finally:
            pool.shutdown(cancel_futures=True)
    return happened


def apart(call: Callable[..., T], *args: Any) -> T:
    """Where a day is the same each time."""
    with _apart(1) as pool:
        return pool.submit(call, *args).result()


@contextmanager
def _apart(processes: int) -> Iterator[ProcessPoolExecutor]:
    """In which the order is fixed that a set of texts is walked through: a name means the same day each time."""
    with (
        patch.dict(os.environ, PYTHONHASHSEED="0"),
        ProcessPoolExecutor(processes, get_context("spawn")) as pool,
    ):
        yield pool


def _happened(report: Report) -> Counter[str]:
    happened = Counter(f"{row['state']} {row['status']}" for row in report.attempts)
    happened["days"] = 1
    happened["calls"] = sum(row["number"] == 1 for row in report.attempts)
    happened["attempts"] = len(report.attempts)
    happened["dials"] = report.dials
    happened["statements"] = report.statements
    happened["jumps"] = report.jumps
    happened["kills of a worker"] = sum(where.startswith("worker") for where in report.killed)
    happened["kills of the api"] = sum(where.startswith("api") for where in report.killed)
    happened["power cuts"] = report.power_cuts
    happened["live calls lost"] = sum(
        row["status"] == "completed" and row["hangup_reason"] == "worker lost" for row in report.attempts
    )
    return happened
