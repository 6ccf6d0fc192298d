"""The transcript's stage: what was said is final."""

from __future__ import annotations

from ringback.aftercall.stage import FinishedCall, Outcome


class TranscriptStage:
    """Implements `Stage`. The turns are the record already; from here on they stand."""

    name = "transcript"
    tries = 1

    async def run(self, call: FinishedCall) -> Outcome:
        turns = len(call.turns)
        if not turns:
            return Outcome()
        return Outcome(result={"turns": turns}, note=f"{turns} turn{'s' if turns > 1 else ''}")
