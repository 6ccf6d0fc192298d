"""CSV after RFC 4180: a header, CRLF, quotes doubled; null and empty text are both an empty cell.

It begins with a byte order mark. CSV is the format for spreadsheets, and Excel takes a file without the mark for
the code page of the machine, which spoils every accent; programs have NDJSON and Parquet.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from ringback.executions.export.columns import COLUMNS, Column, Kind, cells, utf8

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_SUSPECT: Final = frozenset("'=+-@\t\r")
_NUMBER: Final = re.compile(r"\+[0-9]+")


class CsvEncoder:
    def opening(self) -> bytes:
        return opening([column.name for column in COLUMNS])

    def encode(self, bodies: Sequence[bytes]) -> bytes:
        columns = [_shown(column, values) for column, values in zip(COLUMNS, cells(bodies), strict=True)]
        return _written(zip(*columns, strict=True))

    def closing(self) -> bytes:
        return b""


def opening(names: Sequence[str]) -> bytes:
    """The byte order mark and the header."""
    return "\ufeff".encode() + _written([names])


def row(texts: Sequence[str]) -> bytes:
    """One line."""
    return _written([[defused(text) for text in texts]])


def defused(text: str) -> str:
    """Text that a spreadsheet would run as a formula gets an apostrophe in front, which makes it text there.

    `+` and digits alone, such as a phone number, compute nothing and stay as they are. Text that looks defused
    already gets one more, so that taking one apostrophe away always gives back the original.
    """
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return "'" + text
    return text


def _shown(column: Column, values: list[Any]) -> list[Any]:
    match column.kind:
        case Kind.TEXT:
            return [defused(value) if value and value[0] in _SUSPECT else value for value in values]
        case Kind.FLAG:
            return [None if value is None else "true" if value else "false" for value in values]
        case _:
            return values


def _written(rows: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return utf8(text.getvalue())
