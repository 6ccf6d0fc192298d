"""A stage in the place of one that asks a language model: it takes its time, is paid for, and finds what follows from
the transcript alone."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any, Final

from ringback.aftercall.stage import FinishedCall, Outcome
from ringback.executions.record import ExecutionChanges, UsageKind, UsageLine, UsagePurpose

NAMES: Final[tuple[UsagePurpose, ...]] = ("extraction", "dispositions", "summarization")
"""One stage each, in this order."""


class Pondering:
    """Implements `Stage`."""

    tries = 3

    def __init__(self, name: UsagePurpose, most_s: float) -> None:
        self.name: UsagePurpose = name
        self._most_s = most_s

    async def run(self, call: FinishedCall) -> Outcome:
        await asyncio.sleep(random.uniform(0, self._most_s))
        found = expected(len(call.turns), len(call.results))
        data = {**(call.execution.extracted_data or {}), self.name: found}
        line = UsageLine(
            UsageKind.LLM,
            "pondering",
            "",
            "input_tokens",
            100,
            25,
            purpose=self.name,
            price=Decimal("0.000025"),
        )
        return Outcome(found, ExecutionChanges(extracted_data=data), usage=[line], note=str(found))


def expected(turns: int, results: int) -> dict[str, Any]:
    """What a stage finds in so many turns, after so many stages that found something."""
    return {"turns": turns, "after": results}
