"""The calling hours that an agent's definition asks for."""

from __future__ import annotations

import json
from typing import Final

from ringback.dialing.windows import Window
from ringback.store.database import Reader
from ringback.store.queries import agents

_MOST: Final = 1000
"""Definitions that are remembered; then all are read anew."""


class Hours:
    """Remembers what it read until the agent changes: a claim must not parse a definition for each call."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[int, Window | None]] = {}

    async def of(self, db: Reader, account_id: str, agent_id: str, changed: int | None) -> Window | None:
        """None: any hour. `changed`: when the agent was, None: there is none."""
        if changed is None:
            return None
        known = self._known.get((account_id, agent_id))
        if known is not None and known[0] == changed:
            return known[1]
        row = await agents.get(db, account_id, agent_id)
        if row is None:
            return None
        if len(self._known) >= _MOST:
            self._known.clear()
        window = _window(row["definition"])
        self._known[account_id, agent_id] = row["updated_at"], window
        return window


def _window(definition: str) -> Window | None:
    rails = json.loads(definition).get("calling_guardrails")
    return Window(rails["call_start_hour"], rails["call_end_hour"]) if rails else None
