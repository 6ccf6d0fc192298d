"""What a person types on the keypad, as a turn of theirs: `dtmf_number: 1234` (contract 7, `dtmf_enabled`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ringback.agents.plan import Condition, Keywords, Number, Pattern

_MARK: Final = "dtmf_number: "


def typed(keys: str) -> str:
    """The turn of these keys."""
    return _MARK + keys


def plain(text: str) -> str:
    """A turn without the mark: what a slot is filled with."""
    return text.replace(_MARK, "")


def fills(conditions: Sequence[Condition], keys: str) -> bool:
    """Whether the keys answer what a node waits for, and no further key can belong to the answer."""
    if any(_may_go_on(condition, keys) for condition in conditions):
        return False
    return any(_met(condition, keys) for condition in conditions)


def _met(condition: Condition, keys: str) -> bool:
    match condition:
        case Number(digits=int(count)):
            return keys.isdecimal() and len(keys) == count
        case Number(minimum=low, maximum=high):
            return keys.isdecimal() and (low or 0) <= int(keys) <= (int(keys) if high is None else high)
        case Keywords(any_of=words):
            return keys in words
    return False


def _may_go_on(condition: Condition, keys: str) -> bool:
    match condition:
        case Number(digits=int(count)):
            return keys.isdecimal() and len(keys) < count
        case Number(maximum=high):
            return high is None or not keys.isdecimal() or int(keys + "0") <= high
        case Keywords(any_of=words):
            return any(word.startswith(keys) and word != keys for word in words)
        case Pattern():
            return True
    return False
