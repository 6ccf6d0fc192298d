"""Many executions in one transaction: a batch's lines written, and hundreds moved along at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringback.executions.ledger import Ledger
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges, Execution, ExecutionChanges
from ringback.store.database import Transaction


@dataclass(frozen=True, slots=True)
class Move:
    """What `Ledger.transition` is told, for one of many."""

    execution_id: str
    to: Status
    changes: ExecutionChanges
    attempt: AttemptChanges
    why: str = ""
    """For the log row."""


@dataclass(frozen=True, slots=True)
class BatchTemplate:
    """What all executions of a batch have in common."""

    account_id: str
    agent_id: str
    batch_id: str
    trunk: str
    from_numbers: tuple[str, ...]
    """Taken in turn."""
    retry_config: Mapping[str, Any] | None = None
    bypass_guardrails: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a batch's file that is to be dialled."""

    line: int
    """Where its record begins, from 1."""
    number: str
    """E.164."""
    data: Mapping[str, str]
    """The other columns: the prompt's variables."""
    end_byte: int
    """Of the file, after it."""


class Bulk:
    """Writes what `Ledger` would, a statement a table instead of a transaction a row."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def move(self, tx: Transaction, account_id: str, moves: Sequence[Move]) -> list[Execution]:
        """Move what may move; who may not (illegal, unknown, a further attempt) is left out of the result.

        Locks the attempts, then the executions, in the order of their keys.
        """
        raise NotImplementedError

    async def create(self, tx: Transaction, template: BatchTemplate, lines: Sequence[Line]) -> None:
        """Write an execution that is `prepared`, and its first attempt (due with its lane), for each line.

        Locks the account until the transaction ends. Raises LookupError for an unknown account.
        """
        raise NotImplementedError
