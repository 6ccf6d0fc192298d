"""A batch's file as lines to dial and faults. Pure, and in bounded memory.

The file is CSV (RFC 4180) in UTF-8, with a header. A line that can't be read costs nobody else: after a fault the next
physical line begins a new record.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ringback.executions.stencil import Line

NUMBER: Final = "contact_number"
"""The one column that must be there."""

_LONGEST_FIELD: Final = 65_536
_LONGEST_LINE: Final = 1_048_576
"""Bytes of a physical line."""
_MOST_COLUMNS: Final = 1_000
_MOST_EMPTY: Final = 2_000_000
"""Empty lines. A spreadsheet leaves up to a million behind; a file of nothing else must not be read for minutes."""
_SHOWN: Final = 64
"""Characters of a bad number that a fault keeps."""

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}")
_SCIENTIFIC: Final = re.compile(r"\+?\d+([.,]\d+)?E\+?\d+", re.IGNORECASE)
_APOSTROPHES: Final = "'\u2018\u2019"
"""Excel takes what follows for text, and so keeps its plus sign."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A line that is not dialled."""

    line: int
    """Where its record begins, from 1."""
    number: str | None
    reason: str
    end_byte: int
    """Of the file, after it."""


class BadFile(ValueError):
    """The file as a whole can't be read; the message says why and where."""


class _BadLine(Exception):
    """A physical line can't be read; the message says why."""


def header(chunks: Iterable[bytes]) -> tuple[str, ...]:
    """The names of the columns; '' for those without one, which are left out. Raises BadFile."""
    return _header(_Records(chunks))


def lines(chunks: Iterable[bytes]) -> Iterator[Line | Fault]:
    """The records after the header, one at a time; empty ones are passed over. Raises BadFile."""
    records = _Records(chunks)
    names = _header(records)
    place = names.index(NUMBER)
    empty = 0
    for line, fields, end_byte in records:
        if isinstance(fields, _BadLine):
            yield Fault(line, None, str(fields), end_byte)
        elif any(field and not field.isspace() for field in fields):
            yield _judged(line, fields, end_byte, names, place)
        else:
            empty += 1
            if empty > _MOST_EMPTY:
                raise BadFile(f"The file has more than {_MOST_EMPTY:,} empty lines")


class _Physical:
    """The physical lines of a file, as text with its line end, each with its number and the byte after it.

    What was read too far can be pushed back.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._lines = _split(chunks)
        self._back: deque[tuple[int, bytes, int]] = deque()
        self._number = 0
        self.record: list[tuple[int, bytes, int]] = []
        """What was read since `start`."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._back:
            read = self._back.popleft()
        else:
            content, end_byte = next(self._lines)
            self._number += 1
            read = self._number, content, end_byte
        self.record.append(read)
        return _text(read[1])

    def start(self) -> None:
        self.record = []

    def push_back(self) -> None:
        """All that was read since `start`, but for the first."""
        self._back.extendleft(reversed(self.record[1:]))
        del self.record[1:]


class _Records:
    """(line, fields or why there are none, end byte) of each record."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._physical = _Physical(chunks)
        self._reader = csv.reader(self._physical, strict=True)

    def __iter__(self) -> Iterator[tuple[int, list[str] | _BadLine, int]]:
        return self

    def __next__(self) -> tuple[int, list[str] | _BadLine, int]:
        physical = self._physical
        physical.start()
        fields: list[str] | _BadLine
        try:
            fields = next(self._reader)
        except _BadLine as error:
            fields = _BadLine(_OPEN_QUOTE) if len(physical.record) > 1 else error
        except csv.Error as error:
            fields = _BadLine(_reason(error, several=len(physical.record) > 1))
        if isinstance(fields, _BadLine):
            # The next line may be a good one: what this record took of it is read again.
            physical.push_back()
        return physical.record[0][0], fields, physical.record[-1][2]


_OPEN_QUOTE: Final = "a quotation mark is opened in this line and not properly closed"


def _reason(error: csv.Error, *, several: bool) -> str:
    if "field larger than" in str(error) and not several:
        return _too_long()
    if several or "unexpected end of data" in str(error):
        return _OPEN_QUOTE
    return "a quotation mark stands in the middle of a field; write it twice and put the field in quotation marks"


def _too_long() -> str:
    return f"a field has more than {_LONGEST_FIELD:,} characters"


def _split(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """Physical lines with their ends (LF, CRLF or CR), each with the byte after it; of one that is too long, its end.

    A byte order mark of UTF-8 is left out, its bytes count.
    """
    left, done, begun = b"", 0, False
    cut = False  # the beginning of a line that is too long was thrown away
    for chunk in chunks:
        left += chunk
        if not begun and len(left) >= 3:
            left, done, begun = left.removeprefix(b"\xef\xbb\xbf"), 3 * left.startswith(b"\xef\xbb\xbf"), True
            if left.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise BadFile("The file is UTF-16 text; save it as CSV in UTF-8")
        start = 0
        for end in _LINE_END.finditer(left):
            if end.end() == len(left) and end[0] == b"\r":
                break  # a line feed may follow
            content = left[start : end.end()]
            done += len(content)
            yield (_CUT if cut else content), done
            start, cut = end.end(), False
        left = left[start:]
        if len(left) > _LONGEST_LINE:
            # The last byte stays: it may be the first half of a line end.
            done, left, cut = done + len(left) - 1, left[-1:], True
    if not begun:
        bare = left.removeprefix(b"\xef\xbb\xbf")
        left, done = bare, len(left) - len(bare)
    if left or cut:
        yield (_CUT if cut else left), done + len(left)


_CUT: Final = b"\0" * (_LONGEST_LINE + 1)


def _text(content: bytes) -> str:
    if len(content) > _LONGEST_LINE:
        raise _BadLine(f"the line has more than {_LONGEST_LINE:,} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _BadLine(
            f"it is not UTF-8 text: byte {error.start + 1} of the line is 0x{content[error.start]:02x}"
        ) from None
    if "\0" in text:
        raise _BadLine("it contains a NUL character")
    return text


def _header(records: _Records) -> tuple[str, ...]:
    line, fields, _ = next(records, (1, [""], 0))
    if isinstance(fields, _BadLine):
        raise BadFile(f"Line {line}, the header, can't be read: {fields}")
    names = tuple(field.strip() for field in fields)
    if len(names) > _MOST_COLUMNS:
        raise BadFile(f"The header has more than {_MOST_COLUMNS:,} columns")
    if NUMBER not in names:
        other = NUMBER in re.split(r"[;\t|]", ",".join(names))
        hint = "; its columns must be separated by commas" if other else ""
        raise BadFile(f"The header has no column {NUMBER}{hint}")
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise BadFile(f"The header has two columns {twice[0][:_SHOWN]}")
    return names


def _judged(line: int, fields: list[str], end_byte: int, names: tuple[str, ...], place: int) -> Line | Fault:
    asked = fields[place] if place < len(fields) else ""
    number = "".join(asked.lstrip(_APOSTROPHES + " \t\u00a0").split())
    reason = _fault(fields, number, len(names))
    if reason is not None:
        return Fault(line, asked.strip()[:_SHOWN] or None, reason, end_byte)
    return Line(line, number, _data(fields, names, place), end_byte)


def _fault(fields: list[str], number: str, columns: int) -> str | None:
    """Why the line can't be dialled."""
    if any(len(field) > _LONGEST_FIELD for field in fields):
        return _too_long()
    if any(fields[columns:]):
        return f"it has {len(fields)} fields, the header has {columns}"
    if _E164.fullmatch(number):
        return None
    if not number:
        return f"{NUMBER} is empty"
    if _SCIENTIFIC.fullmatch(number):
        return f"{NUMBER} was rounded by a spreadsheet; format its column as text"
    return f"{NUMBER} is not in E.164 form, such as +14155550123"


def _data(fields: list[str], names: tuple[str, ...], place: int) -> Mapping[str, str]:
    """The other columns, an empty text where the line is too short."""
    fields = fields + [""] * (len(names) - len(fields))
    return {
        name: field
        for column, (name, field) in enumerate(zip(names, fields, strict=False))
        if name and column != place
    }
