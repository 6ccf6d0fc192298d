"""Which agent answers at a number, and what comes before it (contract 10)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ringback.agents.ivr_config import IvrConfig
from ringback.agents.registry import UnknownAgent
from ringback.agents.validation import check
from ringback.clock import Clock
from ringback.store.database import Database
from ringback.store.queries import agents, phone_numbers
from ringback.store.queries import inbound as queries
from ringback.trunks.numbers import UnknownNumber


class Setup:
    """Sees one account only."""

    def __init__(self, db: Database, clock: Clock, public_url: str) -> None:
        """`public_url`: as `Ledger`'s."""
        self._db = db
        self._clock = clock
        self.public_url = public_url

    async def link(
        self, account_id: str, number_id: str, agent_id: str, ivr_config: Mapping[str, Any] | None = None
    ) -> str:
        """Let the agent answer, after these menus or none, whoever did before; the number.

        Raises UnknownNumber, UnknownAgent, InvalidInput.
        """
        menus = check(IvrConfig, ivr_config) if ivr_config is not None else None
        async with self._db.transaction() as tx:
            for wanted in (agent_id, *sorted(menus.agent_ids if menus else ())):
                if not await agents.exists(tx, account_id, wanted):
                    raise UnknownAgent(wanted)
            now = self._clock.now_us()
            if not await phone_numbers.link(tx, account_id, number_id, agent_id, now_us=now):
                raise UnknownNumber(number_id)
            if menus is None:
                await queries.delete_menus(tx, account_id, number_id)
            else:
                kept = json.dumps(menus.model_dump(mode="json"), ensure_ascii=False)
                await queries.set_menus(tx, account_id, number_id, kept)
            row = await phone_numbers.get(tx, account_id, number_id)
        assert row is not None
        return str(row["phone_number"])

    async def unlink(self, account_id: str, number_id: str) -> str:
        """Let nobody answer; the number. Raises UnknownNumber."""
        async with self._db.transaction() as tx:
            if not await phone_numbers.link(tx, account_id, number_id, None, now_us=self._clock.now_us()):
                raise UnknownNumber(number_id)
            await queries.delete_menus(tx, account_id, number_id)
            row = await phone_numbers.get(tx, account_id, number_id)
        assert row is not None
        return str(row["phone_number"])
