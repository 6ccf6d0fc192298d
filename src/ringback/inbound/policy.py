"""Whom an agent takes calls from (contract 7: task_config and ingest_source_config)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ringback.agents.definition import Definition
from ringback.trunks.number import digits_of


@dataclass(frozen=True, slots=True)
class Policy:
    limit: int | None = None
    """So often each number may call; None: as often as it likes."""
    always: frozenset[str] = frozenset()
    """Digits of numbers that nothing holds back."""
    known_only: bool = False
    """Others than those that the source has are refused."""
    source: Mapping[str, Any] | None = None
    """`ingest_source_config`: where callers are looked up."""

    @classmethod
    def of(cls, definition: Definition) -> Policy:
        task: Mapping[str, Any] = next(
            (task for task in definition.config.get("tasks", ()) if task.get("task_type") == "conversation"),
            {},
        )
        config: Mapping[str, Any] = task.get("task_config") or {}
        limit = config.get("inbound_limit", -1)
        return cls(
            limit=limit if isinstance(limit, int) and limit >= 0 else None,
            always=frozenset(digits_of(number) for number in config.get("whitelist_phone_numbers") or ()),
            known_only=bool(config.get("disallow_unknown_numbers")),
            source=definition.config.get("ingest_source_config"),
        )

    def trusts(self, caller: str | None) -> bool:
        return caller is not None and digits_of(caller) in self.always

    def limit_of(self, caller: str | None) -> int | None:
        """A withheld number cannot be counted."""
        return None if caller is None or self.trusts(caller) else self.limit
