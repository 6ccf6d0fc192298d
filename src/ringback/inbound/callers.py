"""What is known of a caller before the first word: from the account's own server, or from a file it sent us."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ringback.clock import Clock
from ringback.net.client import GuardedClient, OutboundError
from ringback.store.database import Database
from ringback.store.queries import inbound as queries
from ringback.trunks.number import digits_of

TIMEOUT_S: Final = 3.0
"""So long a caller hears nothing at most, because their data are looked up."""
_MAX_BYTES: Final = 65_536
NUMBER: Final = "contact_number"
"""The column of a file that names the caller."""
MOST_LINES: Final = 50_000
_LONGEST_FIELD: Final = 10_000


class CallerDataError(Exception):
    """The data could not be had; the message is one plain sentence for the call's log."""


class BadCallers(ValueError):
    """The file cannot be used; the message says why and where."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of callers."""

    name: str
    lines: int
    created_at: int


class Callers:
    """Files see one account only."""

    def __init__(self, db: Database, clock: Clock, client: GuardedClient | None = None) -> None:
        """`client`: for lookups."""
        self._db = db
        self._clock = clock
        self._client = client

    async def look_up(
        self,
        account_id: str,
        source: Mapping[str, Any],
        caller: str | None,
        *,
        agent_id: str,
        execution_id: str,
    ) -> dict[str, Any] | None:
        """What the source of an agent says of a caller; None: it does not have them. Raises CallerDataError."""
        match source.get("source_type"):
            case "api":
                return await self._asked(source, caller, agent_id, execution_id)
            case "csv":
                if caller is None:
                    return None
                digits = digits_of(caller)
                found = await queries.caller(self._db, account_id, str(source.get("source_name")), digits)
                return json.loads(found) if found is not None else None
            case other:
                raise CallerDataError(
                    f"Callers cannot be looked up in a {other}: use source_type api, or csv with a file sent to"
                    " /inbound/callers"
                )

    async def put(self, account_id: str, name: str, file: bytes) -> Source:
        """Replace a file. Raises BadCallers."""
        lines = _lines(file)
        now = self._clock.now_us()
        async with self._db.transaction() as tx:
            await queries.replace_callers(tx, account_id, name, lines, now_us=now)
        return Source(name, len(lines), now)

    async def all(self, account_id: str) -> list[Source]:
        """By name."""
        rows = await queries.sources(self._db, account_id)
        return [Source(row["source"], int(row["lines"]), row["created_at"]) for row in rows]

    async def remove(self, account_id: str, name: str) -> int:
        """How many lines it had; 0: there is no such file."""
        async with self._db.transaction() as tx:
            return await queries.delete_callers(tx, account_id, name)

    async def _asked(
        self, source: Mapping[str, Any], caller: str | None, agent_id: str, execution_id: str
    ) -> dict[str, Any] | None:
        assert self._client is not None
        about = {"contact_number": caller or "", "agent_id": agent_id, "execution_id": execution_id}
        try:
            answer = await self._client.request(
                "GET",
                _with_query(str(source.get("source_url")), about),
                headers={
                    "Authorization": f"Bearer {source.get('source_auth_token')}",
                    "Accept": "application/json",
                },
                timeout_s=TIMEOUT_S,
                max_bytes=_MAX_BYTES,
            )
        except OutboundError as error:
            raise CallerDataError(f"The caller could not be looked up: {error}") from None
        if answer.status in (204, 404):
            return None
        if not 200 <= answer.status < 300:
            raise CallerDataError(f"The caller could not be looked up: HTTP {answer.status}.")
        if answer.truncated:
            raise CallerDataError(f"The caller's data are larger than {_MAX_BYTES} bytes.")
        try:
            found = json.loads(answer.body, parse_constant=_no_constant, parse_float=_finite)
        except ValueError:
            raise CallerDataError("The caller's data are not JSON.") from None
        if found is None or found == [] or found == {}:
            return None
        if not isinstance(found, dict):
            raise CallerDataError("The caller's data are not a JSON object.")
        return found


def _lines(file: bytes) -> list[tuple[str, str]]:
    """Digits and JSON of each line; of several for one number the last. Raises BadCallers."""
    try:
        text = file.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadCallers(f"The file is not UTF-8 at byte {error.start}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    found: dict[str, str] = {}
    try:
        header = [name.strip() for name in next(reader, [])]
        if NUMBER not in header:
            raise BadCallers(f"The first line must name a column {NUMBER}")
        place = header.index(NUMBER)
        for fields in reader:
            if any(field.strip() for field in fields):
                digits, data = _line(header, place, fields, reader.line_num)
                found[digits] = data
            if len(found) > MOST_LINES:
                raise BadCallers(f"The file has more than {MOST_LINES:,} callers")
    except csv.Error as error:
        raise BadCallers(f"Line {reader.line_num} is no CSV: {error}") from None
    return list(found.items())


def _line(header: Sequence[str], place: int, fields: Sequence[str], line: int) -> tuple[str, str]:
    if len(fields) > len(header):
        raise BadCallers(f"Line {line} has more fields than the first line has names")
    number = fields[place].strip().lstrip("'") if place < len(fields) else ""
    digits = digits_of(number)
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 32):
        raise BadCallers(f"Line {line}: {NUMBER} must be a phone number, such as +14155550123")
    if any("\0" in field or len(field) > _LONGEST_FIELD for field in fields):
        raise BadCallers(f"Line {line} has a field that is too long or holds NUL")
    data = {name: field for name, field in zip(header, fields, strict=False) if name and name != NUMBER}
    return digits, json.dumps(data, ensure_ascii=False)


def _with_query(url: str, more: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *more.items()]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
