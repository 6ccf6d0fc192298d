"""What the person of a simulated call says. Most words are said once only, so that they can be followed."""

from __future__ import annotations

import random
from collections import Counter
from itertools import count
from typing import Final

BACKCHANNELS: Final = (("mhm",), ("yeah", "okay"), ("I", "see"), ("seven",))
STOPS: Final = (("stop",), ("wait", "please"))
FIRST_WORDS: Final = (
    ("hello",),
    ("please", "leave", "your", "name", "and", "a", "message", "after", "the", "tone"),
    ("for", "sales", "press", "one"),
    ("please", "record", "your", "name", "and", "reason", "for", "calling"),
    ("who", "is", "this"),
)
"""What tells who or what took the call."""
COMMON: Final = frozenset(word for words in (*BACKCHANNELS, *STOPS, *FIRST_WORDS) for word in words)
"""Words that are said again and again."""


class SimulatedPerson:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._words = count()

    def burst(self, happened: Counter[str]) -> list[str]:
        """Words without a pause; empty ones where it is a noise."""
        kind = self._chance.random()
        if kind < 0.1:
            happened["noise"] += 1
            return [""] * self._chance.choice([1, 1, 2, 8])
        if kind < 0.2:
            happened["backchannel"] += 1
            return list(self._chance.choice(BACKCHANNELS))
        if kind < 0.24:
            happened["stop"] += 1
            return list(self._chance.choice(STOPS))
        if kind < 0.3:
            happened["first words"] += 1
            return list(self._chance.choice(FIRST_WORDS))
        return [f"w{next(self._words)}" for _ in range(self._chance.choice([1, 1, 2, 3, 5, 12, 30]))]
