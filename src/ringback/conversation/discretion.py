"""What was typed and is not to be shown (`dtmf_masked`): stars stand for it in the transcript, the log and the data.

The language model and the agent's functions get the digits; whoever reads about the call does not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ringback.conversation.transcript import LogEntry, Observer, Turn

_TYPED: Final = re.compile(r"(dtmf_number: |keypad: )([0-9*#A-D]+)")
_SHORTEST: Final = 3
"""Of fewer digits only the turn itself is masked: they stand in every date."""


class Discretion:
    """Implements `Observer` before another one."""

    def __init__(self, observer: Observer, masked: bool) -> None:
        self._observer = observer
        self._masked = masked
        self._secrets: dict[str, re.Pattern[str]] = {}

    def log(self, entry: LogEntry) -> None:
        if self._masked:
            entry = replace(entry, data=self._hide(entry.data), reasoning=self._hide(entry.reasoning))
        self._observer.log(entry)

    def turn(self, turn: Turn) -> None:
        self._observer.turn(self.shown_turn(turn))

    def shown_turn(self, turn: Turn) -> Turn:
        if not self._masked:
            return turn
        for _, keys in _TYPED.findall(turn.text):
            if len(keys) >= _SHORTEST:
                # Agents read digits back in groups, or one by one.
                self._secrets[keys] = re.compile(r"[\s,.\-]*".join(map(re.escape, keys)))
        return replace(turn, text=self._hide(turn.text))

    def shown(self, value: Any) -> Any:
        """The same for any JSON."""
        match value:
            case _ if not self._masked or value is None or isinstance(value, bool):
                return value
            case str():
                return self._hide(value)
            case int() | float():
                hidden = self._hide(str(value))
                return value if hidden == str(value) else hidden
            case Mapping():
                return {key: self.shown(item) for key, item in value.items()}
            case list() | tuple():
                return [self.shown(item) for item in value]
        return value

    def _hide(self, text: str) -> str:
        text = _TYPED.sub(lambda match: match[1] + "*" * len(match[2]), text)
        for keys, secret in self._secrets.items():
            text = secret.sub("*" * len(keys), text)
        return text
