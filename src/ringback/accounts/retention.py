"""How long an account keeps what its calls leave behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Final

from ringback.accounts.keys import UnknownAccount
from ringback.store.database import Database, Row
from ringback.store.queries import retention as queries

LONGEST: Final = 36_500
"""Days; whoever wants more means for ever."""


class BadPolicy(ValueError):
    """A policy that can't be meant; the message says why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Days; None keeps for ever. Recordings and transcripts count from the end of the call, and go with their record
    in any case."""

    recordings: int | None = None
    transcripts: int | None = None
    records: int | None = None

    def check(self) -> None:
        """Raises BadPolicy."""
        given = {name: days for name, days in asdict(self).items() if days is not None}
        for name, days in given.items():
            if not 1 <= days <= LONGEST:
                raise BadPolicy(f"{name}: {days} is not from 1 to {LONGEST} days; 'forever' sets no limit")
        for name, days in given.items():
            if days > given.get("records", LONGEST):
                raise BadPolicy(
                    f"{name} cannot be kept for {days} days: they go with their records, after {self.records}; "
                    f"set {name} to {self.records} or less or to 'forever', or keep the records longer"
                )


class Policies:
    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, account_id: str) -> Policy:
        """Raises UnknownAccount."""
        row = await queries.policy(self._db, account_id)
        if row is None:
            raise UnknownAccount(f"there is no account {account_id}")
        return _policy(row)

    async def change(self, account_id: str, changes: Mapping[str, int | None]) -> Policy:
        """Change some of the days, from the next pass on; the policy that is in force then.

        Raises BadPolicy, UnknownAccount.
        """
        async with self._db.transaction() as tx:
            row = await queries.policy(tx, account_id)
            if row is None:
                raise UnknownAccount(f"there is no account {account_id}")
            policy = replace(_policy(row), **changes)
            policy.check()
            await queries.set_policy(tx, account_id=account_id, **asdict(policy))
        return policy


def _policy(row: Row) -> Policy:
    return Policy(row["keep_recordings_days"], row["keep_transcripts_days"], row["keep_records_days"])
