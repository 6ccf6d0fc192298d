"""What comes before the agent on an answered call: the menus of its number (contract 10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringback.executions.record import UsageLine
from ringback.media.leg import Ended
from ringback.media.recorder import Recorder


@dataclass(frozen=True, slots=True)
class Prelude:
    agent_id: str | None
    """Who takes the call; None: the number's own agent."""
    recipient_data: Mapping[str, Any]
    """What was pressed, for the call's own: `<field>`, `<field>_context`, `ivr_completed_at`."""
    ended: Ended | None
    """The call was over before any agent came; then its recording is closed."""
    recorder: Recorder
    """Open: the agent's conversation goes on in the same recording."""
    usage: Sequence[UsageLine]
    turns: int
    """Written to the transcript so far; the agent's are numbered from here."""
    leave: Callable[[], None]
    """Stop sending silence and recording; right before the agent does both. Idempotent."""
