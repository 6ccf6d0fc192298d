"""A batch's file as lines to dial and faults. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ringback.executions.bulk import Line


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


def lines(chunks: Iterable[bytes], skip_bytes: int) -> Iterator[Line | Fault]:
    """The records after the header, one at a time; those that end within the first `skip_bytes` are left out.

    Raises BadFile.
    """
    raise NotImplementedError
