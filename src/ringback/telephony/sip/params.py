"""The `;name=value` lists that URIs and header fields share (RFC 3261 section 25.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

Params = tuple[tuple[str, str | None], ...]
"""Parameters in their order; None for a flag. Quoted values keep their quotes."""

_MAX_PARAMS: Final = 64


class SipSyntaxError(ValueError):
    """Text from the wire that does not follow RFC 3261; the message never repeats it."""


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Split at a separator that stands neither in double quotes nor in angle brackets."""
    if '"' not in text and "<" not in text:
        return [piece.strip() for piece in text.split(separator)]
    return list(_pieces(text, separator))


def _pieces(text: str, separator: str) -> Iterator[str]:
    start, quoted, angled, escaped = 0, False, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif quoted:
            escaped = char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char in "<>":
            angled = char == "<"
        elif char == separator and not angled:
            yield text[start:index].strip()
            start = index + 1
    yield text[start:].strip()


def split_params(text: str, separator: str = ";") -> Params:
    """Read `a=b;c` into pairs. Raises SipSyntaxError when there are absurdly many."""
    pieces = [piece for piece in split_outside_quotes(text, separator) if piece]
    if len(pieces) > _MAX_PARAMS:
        raise SipSyntaxError("too many parameters")
    return tuple(_pair(piece) for piece in pieces)


def _pair(piece: str) -> tuple[str, str | None]:
    name, equals, value = piece.partition("=")
    return name.strip(), value.strip() if equals else None


def join_params(params: Params) -> str:
    """The parameters as they stand after what they qualify: `;a=b;c`."""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)


def find_param(params: Params, name: str) -> str | None:
    """The value of a parameter ("" for a flag), None without it; names compare without case."""
    return next((value or "" for key, value in params if key.lower() == name), None)


def unquote(text: str) -> str:
    """A quoted string without its quotes and escapes; other text as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    out, escaped = [], False
    for char in text[1:-1]:
        if char == "\\" and not escaped:
            escaped = True
            continue
        out.append(char)
        escaped = False
    return "".join(out)


def quoted(text: str) -> str:
    """The text as a quoted string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
