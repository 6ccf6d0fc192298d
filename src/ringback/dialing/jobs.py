"""Work that is not a call: reading a batch's file, sweeping a stopped lane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Job:
    """One row of `jobs`, claimed."""

    account_id: str
    id: str
    kind: Literal["intake", "sweep"]
    subject: str
    """intake: the id of the batch; sweep: the key of the lane."""
    machine: str | None
    tries: int
