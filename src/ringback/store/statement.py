"""The same statement for both databases: `:name` parameters and row locks, translated once and remembered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_ROW_LOCK = re.compile(r"\bFOR ((NO KEY )?UPDATE|(KEY )?SHARE)( SKIP LOCKED)?\b")
_POSITION = re.compile(r"\bstrpos\(")

_AT_ONCE: Final = 64


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


def in_lists(values: Sequence[object]) -> Iterator[InList]:
    """The values in their order, some in each list.

    Not too many: PostgreSQL, as long as it knows nothing of a table that was just filled, would rather read all rows of
    the account. The last value fills up to the next power of two: a database remembers how to run a statement by its
    text, and there are few texts then.
    """
    for start in range(0, len(values), _AT_ONCE):
        some = values[start : start + _AT_ONCE]
        padded = [*some, *[some[-1]] * ((1 << (len(some) - 1).bit_length()) - len(some))]
        named = {f"in_{place}": value for place, value in enumerate(padded)}
        yield InList(", ".join(f":{name}" for name in named), named)
