"""May this person be dialled now? Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from ringback.dialing.windows import Window
from ringback.executions.record import Execution


@dataclass(frozen=True, slots=True)
class Dial:
    closes_us: int
    """Not after this moment."""


@dataclass(frozen=True, slots=True)
class Later:
    due_us: int
    why: str
    """A sentence for the log row."""


@dataclass(frozen=True, slots=True)
class Never:
    why: str
    """A sentence for the record."""


Verdict: TypeAlias = Dial | Later | Never


def judge(execution: Execution, window: Window | None, forbidden: Collection[str], now_us: int) -> Verdict:
    """`window` is the agent's calling hours, None: any; `forbidden` are numbers of the do-not-call list."""
    raise NotImplementedError
