"""The executions of an invented call centre: seeded, so every store holds the same bytes.

The bodies come from the product's own `render`. One agent is measured; rows of other agents, a fifth as many, lie
between its own at random. Sixty days, oldest first; most filters find their worst case among the oldest rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from benchmarks.ledger.call import Call, invent
from benchmarks.ledger.talk import Talk
from ringback.executions import rows
from ringback.executions.lifecycle import TERMINAL
from ringback.executions.rendering import render

ACCOUNT: Final = "00000000-0000-4000-8000-000000000001"
AGENT: Final = "5e1f7a52-8f0c-4c7b-9a54-0d6f5a3c1b01"
"""The measured one."""
OTHER_AGENTS: Final = tuple(f"5e1f7a52-8f0c-4c7b-9a54-0d6f5a3c1b{number:02}" for number in range(2, 7))
PUBLIC_URL: Final = "https://voice.example.net"

CHUNK: Final = 5_000
"""Rows of the measured agent in a chunk, the unit of work; the number of rows is a multiple of it."""
_PER_CHUNK: Final = CHUNK + CHUNK // 5

_FROM_US: Final = 1_789_430_400_000_000
"""2026-09-15T00:00:00Z"""
_DAYS: Final = 60
_DAY_US: Final = 86_400_000_000
_OPEN_US: Final = 8 * 3_600_000_000
_OPEN_FOR_US: Final = 12 * 3_600_000_000
"""Calls are made from 8 to 20 o'clock."""
UNSETTLED: Final = 5
"""How many of the newest rows have not ended yet."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows in the order of their creation, in the columns EXECUTION_COLUMNS and ATTEMPT_COLUMNS."""

    executions: list[tuple[object, ...]]
    attempts: list[tuple[object, ...]]


def chunk(total: int, number: int) -> Chunk:
    """Part `number`, from 0, of `total` rows of the measured agent and what lies between them."""
    made = Chunk([], [])
    for call in _calls(total, number):
        execution, attempt = _columns(call)
        made.executions.append(tuple(execution.values()))
        made.attempts.append(tuple(attempt.values()))
    return made


def day_iso(day: int) -> str:
    """The midnight that begins day `day` of the sixty."""
    return datetime.fromtimestamp(_day_us(day) / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day_us(day: int) -> int:
    return _FROM_US + day * _DAY_US


def _calls(total: int, number: int) -> Iterator[Call]:
    if total % CHUNK:
        raise ValueError(f"{total} rows: must be a multiple of {CHUNK}")
    rng = random.Random(f"{total} {number}")
    talk = Talk(rng)
    agents = [AGENT] * CHUNK + rng.choices(OTHER_AGENTS, k=_PER_CHUNK - CHUNK)
    rng.shuffle(agents)
    everything = total // CHUNK * _PER_CHUNK
    age = number * CHUNK  # of the next row of the measured agent: the oldest is 0
    for index, agent in enumerate(agents, number * _PER_CHUNK):
        measured = agent == AGENT
        unsettled = everything - index <= UNSETTLED
        yield invent(
            rng, talk, ACCOUNT, agent, _seq(rng, index, everything), age if measured else None, unsettled
        )
        age += measured


def _seq(rng: random.Random, index: int, everything: int) -> int:
    """Microseconds; rises with the index."""
    day, rest = divmod(index * _DAYS, everything)
    gap = _OPEN_FOR_US * _DAYS // everything
    return _day_us(day) + _OPEN_US + _OPEN_FOR_US * rest // everything + int(gap * 0.9 * rng.random())


def _columns(call: Call) -> tuple[dict[str, object], dict[str, object]]:
    """As the ledger writes them."""
    execution, attempt = call.execution, call.attempt
    body = render(execution, attempt, call.turns, call.usage, PUBLIC_URL)
    shown = {
        "body": body.decode(),
        "conversation_ms": attempt.conversation_ms,
        "total_cost": execution.cost.total if execution.status in TERMINAL else 0,
        "hangup_reason": attempt.hangup_reason,
    }
    return rows.columns_of(execution) | shown, rows.columns_of(attempt)


_SAMPLE: Final = _columns(next(_calls(CHUNK, 0)))
EXECUTION_COLUMNS: Final = tuple(_SAMPLE[0])
ATTEMPT_COLUMNS: Final = tuple(_SAMPLE[1])
