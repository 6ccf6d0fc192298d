"""What the calls of sub-accounts were and cost, by the time of their creation."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from ringback.accounts.sub_accounts import NotAParent, UnknownSubAccount
from ringback.store.database import Database, Row
from ringback.store.queries import sub_accounts as queries


@dataclass(frozen=True, slots=True)
class Used:
    """Of a model, or of all calls. Amounts are in 1e-4 cents."""

    quantity: int = 0
    amount: int = 0


@dataclass(slots=True)
class Usage:
    sub_account_id: str
    name: str
    statuses: dict[str, int] = field(default_factory=dict)
    """How many executions have each."""
    talked_ms: int = 0
    total: int = 0
    platform: int = 0
    network: int = 0
    voices: dict[tuple[str, str], Used] = field(default_factory=dict)
    """Characters, by provider and model."""
    ears: dict[tuple[str, str], Used] = field(default_factory=dict)
    """Milliseconds, likewise."""
    llm: int = 0
    tokens: defaultdict[str, dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: {"input": 0, "output": 0})
    )
    """By model."""

    def add_calls(self, row: Row) -> None:
        self.statuses[row["status"]] = row["calls"]
        self.talked_ms += row["ms"]
        self.total += row["total"]
        self.platform += row["platform"]
        self.network += row["network"]

    def add_lines(self, row: Row) -> None:
        model = row["provider"], row["model"]
        match row["kind"]:
            case "synthesizer":
                self.voices[model] = Used(row["quantity"], row["amount"])
            case "transcriber":
                self.ears[model] = Used(row["quantity"], row["amount"])
            case "llm":
                self.llm += row["amount"]
                self.tokens[row["model"]][row["unit"].removesuffix("_tokens")] += row["quantity"]


class Usages:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, account_id: str, sub_account_id: str, since_us: int, until_us: int) -> Usage:
        """Of one, also of one that was deleted. Both ends are included. Raises NotAParent, UnknownSubAccount."""
        found = await self._of(account_id, sub_account_id, since_us, until_us)
        if not found:
            raise UnknownSubAccount(sub_account_id)
        return found[0]

    async def all(self, account_id: str, since_us: int, until_us: int) -> list[Usage]:
        """Of each, oldest first, also of those that were deleted. Raises NotAParent."""
        return await self._of(account_id, None, since_us, until_us)

    async def _of(self, account_id: str, only: str | None, since_us: int, until_us: int) -> list[Usage]:
        async with self._db.read() as reader:
            if await queries.is_sub_account(reader, account_id):
                raise NotAParent
            names = await queries.names(reader, account_id)
            span = {"since_us": since_us, "until_us": until_us}
            calls = await queries.calls(reader, account_id, only, **span)
            lines = await queries.lines(reader, account_id, only, **span)
        usages = {key: Usage(key, name) for key, name in names.items() if only in (None, key)}
        for row in calls:
            usages[row["sub_account_id"]].add_calls(row)
        for row in lines:
            usages[row["sub_account_id"]].add_lines(row)
        return list(usages.values())
