"""Regular expressions of agents: RE2, whose time is linear in the text, for they run beside live audio.

Syntax: https://github.com/google/re2/wiki/Syntax (no look-around and no back-references).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import re2

_MEMORY: Final = 1 << 20
"""Bytes that one compiled expression may take: repetitions of repetitions grow fast."""


def problem(pattern: str) -> str | None:
    """What is wrong with a regular expression, None for a sound one."""
    try:
        _compiled(pattern)
    except re2.error as error:
        message = error.args[0]
        return message.decode(errors="replace") if isinstance(message, bytes) else str(message)
    return None


def find(pattern: str, text: str) -> str | None:
    """Group 1 of the first match, or the whole match where there is no such group; None without a match."""
    found = _compiled(pattern).search(text)
    if found is None:
        return None
    group = found.group(1) if found.re.groups else None
    return str(found.group(0) if group is None else group)


def matches(pattern: str, text: str) -> bool:
    """Whether the expression is found in the text, upper and lower case being different."""
    return _compiled(pattern, case_sensitive=True).search(text) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str, case_sensitive: bool = False) -> Any:
    options = re2.Options()
    options.case_sensitive = case_sensitive
    options.log_errors = False
    options.max_mem = _MEMORY
    return re2.compile(pattern, options=options)
