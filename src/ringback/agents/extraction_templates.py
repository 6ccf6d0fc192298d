"""The extraction templates of each account (contract 13)."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ringback.agents.extraction_template import NAMES, TemplateFields, changed
from ringback.agents.storable import json_text
from ringback.clock import Clock
from ringback.store.database import Database, Row
from ringback.store.queries import extraction_templates as queries

_PAGE: Final = 60
_JSON: Final = ("json_schema", "inputs", "keys")
_FLAGS: Final = ("display", "supports_custom_questions")


class UnknownTemplate(LookupError):
    """The account has no such extraction template."""


@dataclass(frozen=True, slots=True)
class Template:
    """A template as it is kept. Times are microseconds since the epoch, UTC."""

    account_id: str
    id: str
    fields: Mapping[str, Any]
    """Plain JSON with every key of `TemplateFields`."""
    created_at: int
    updated_at: int


class ExtractionTemplates:
    """Keeps them; every method sees one account only."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def create(self, account_id: str, fields: TemplateFields) -> Template:
        now = self._clock.now_us()
        made = Template(account_id, str(uuid.uuid4()), fields.plain(), now, now)
        async with self._db.transaction() as tx:
            await queries.insert(tx, account_id, made.id, _columns(made.fields), now_us=now)
        return made

    async def get(self, account_id: str, template_id: str) -> Template:
        """Raises UnknownTemplate."""
        return _template(await queries.get(self._db, account_id, template_id), template_id)

    async def all(self, account_id: str) -> AsyncIterator[Template]:
        """Every one of the account in the order of creation, read in pages."""
        created_at, last = -1, ""
        while True:
            rows = await queries.after(
                self._db, account_id, created_at=created_at, template_id=last, limit=_PAGE
            )
            for row in rows:
                yield _template(row, row["id"])
            if len(rows) < _PAGE:
                return
            created_at, last = rows[-1]["created_at"], rows[-1]["id"]

    async def change(self, account_id: str, template_id: str, changes: Mapping[str, Any]) -> Template:
        """Raises UnknownTemplate, InvalidInput."""
        async with self._db.transaction() as tx:
            stored = _template(await queries.lock(tx, account_id, template_id), template_id)
            fields = changed(stored.fields, changes).plain()
            if fields == stored.fields:
                return stored
            now = self._clock.now_us()
            await queries.update(tx, account_id, template_id, _columns(fields), now_us=now)
            return replace(stored, fields=fields, updated_at=now)

    async def delete(self, account_id: str, template_id: str) -> None:
        """What calls have found with it stays. Raises UnknownTemplate."""
        async with self._db.transaction() as tx:
            if not await queries.delete(tx, account_id, template_id):
                raise UnknownTemplate(template_id)


def _columns(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _text(fields[name]) if name in _JSON else fields[name] for name in NAMES}


def _text(value: Any) -> str | None:
    return None if value is None else json_text(value)


def _template(row: Row | None, template_id: str) -> Template:
    """SQLite gives booleans as numbers."""
    if row is None:
        raise UnknownTemplate(template_id)
    fields = {name: row[name] for name in NAMES}
    fields |= {name: json.loads(row[name]) for name in _JSON if row[name] is not None}
    fields |= {name: bool(row[name]) for name in _FLAGS}
    return Template(row["account_id"], row["id"], fields, row["created_at"], row["updated_at"])
