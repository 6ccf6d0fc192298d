"""The same statement for both databases: `:name` parameters and row locks, translated once and remembered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_ROW_LOCK = re.compile(r"\bFOR ((NO KEY )?UPDATE|SHARE)( SKIP LOCKED)?\b")
_POSITION = re.compile(r"\bstrpos\(")


@lru_cache(maxsize=1024)
def for_postgresql(sql: str) -> tuple[str, tuple[str, ...]]:
    """The statement with `$1`, `$2` ... and the names they stand for, in order."""
    names: list[str] = []

    def position(match: re.Match[str]) -> str:
        name = match[1]
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PARAMETER.sub(position, sql), tuple(names)


@lru_cache(maxsize=1024)
def for_sqlite(sql: str) -> str:
    """The statement without row locks: SQLite knows `:name`, and its one writer holds everything."""
    return _POSITION.sub("instr(", _ROW_LOCK.sub("", sql))


@dataclass(frozen=True, slots=True)
class InList:
    """The inside of `IN (...)`: parameters, and their values."""

    names: str
    values: dict[str, object]


def in_list(values: Sequence[object]) -> InList:
    """For at least one value. The last one fills up to the next power of two: a database remembers how to run a
    statement by its text, and there are few texts then."""
    padded = [*values, *[values[-1]] * ((1 << (len(values) - 1).bit_length()) - len(values))]
    named = {f"in_{place}": value for place, value in enumerate(padded)}
    return InList(", ".join(f":{name}" for name in named), named)
