"""What invented people say on the telephone: seeded, from a large vocabulary, no two calls alike.

Texts of a few canned sentences would compress far better than real transcripts do, and flatter what is stored
compressed. So sentences are put together word by word, commoner words more often, with the names, numbers, dates and
addresses that real calls are full of. They make no sense; their statistics do.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Final

from ringback.executions.record import Turn

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ"
_POOL: Final = 4096
_FLAT: Final = 300
"""The n-th word of a section weighs 1 / (n + this)."""
_INFLECTED: Final = frozenset({"nouns", "verbs", "adjectives"})


def _vocabulary() -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("words.txt").read_text().splitlines():
        if line.startswith("["):
            words = sections[line.strip("[]")] = []
        elif line and not line.startswith("#"):
            words += [part.strip() for part in line.strip("|").split("|")] if "|" in line else line.split()
    return sections


_WORDS: Final = _vocabulary()


class Talk:
    """Words from one seed; the same seed says the same."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._drawn: dict[str, list[str]] = {section: [] for section in _WORDS}
        self._weights = {
            section: list(accumulate(1 / (rank + _FLAT) for rank in range(len(words))))
            for section, words in _WORDS.items()
        }

    def turns(self, name: str, count: int) -> list[Turn]:
        """`count` turns, the agent's first."""
        turns, at = [], 400
        for index in range(count):
            agent = index % 2 == 0
            text = self._agent(name, opening=index == 0) if agent else self._user()
            start, at = at, at + len(text) * self._rng.randint(52, 74)
            turns.append(Turn(index, "assistant" if agent else "user", text, start, at))
            at += self._rng.randint(180, 1400)
        return turns

    def sentence(self) -> str:
        return f"{_capital(self.clauses())}."

    def name(self) -> str:
        return f"{self.word('first')} {self.word('surname_heads')}{self.word('surname_tails')}"

    def address(self) -> str:
        return f"{self._rng.randint(1, 999)} {self.word('streets')} Street, {self.word('cities')}"

    def money(self) -> str:
        return f"{self._rng.randint(4, 1900)}.{self._rng.randint(0, 99):02}"

    def date(self) -> str:
        return f"{self._rng.choice(_DAYS)}, {self._rng.choice(_MONTHS.split())} {self._rng.randint(1, 28)}"

    def clock(self) -> str:
        return f"{self._rng.randint(8, 19)}:{self._rng.choice((0, 15, 20, 30, 40, 45)):02}"

    def reference(self) -> str:
        return "".join(self._rng.choices(_LETTERS, k=2)) + f"-{self._rng.randint(10000, 999999)}"

    def word(self, section: str) -> str:
        drawn = self._drawn[section]
        if not drawn:
            drawn += self._rng.choices(_WORDS[section], cum_weights=self._weights[section], k=_POOL)
            if section in _INFLECTED:
                self._vary(drawn)
        return drawn.pop()

    def clause(self) -> str:
        word, dice = self.word, self._rng.random()
        if dice < 0.45:
            return f"{word('people')} {word('auxiliaries')} {word('verbs')} {self.thing()}"
        if dice < 0.62:
            return f"{self.thing()} {word('is')} {word('adjectives')}"
        if dice < 0.8:
            return f"{word('people')} {word('adverbs')} {word('verbs')} {self.thing()}"
        return f"{self.thing()} {word('prepositions')} {self.thing()}"

    def clauses(self) -> str:
        return f"{self.clause()} {self.word('links')} {self.clause()}"

    def thing(self) -> str:
        word, dice = self.word, self._rng.random()
        if dice < 0.4:
            return f"{word('articles')} {word('nouns')}"
        if dice < 0.7:
            return f"{word('articles')} {word('adjectives')} {word('nouns')}"
        if dice < 0.82:
            return f"{word('articles')} {word('nouns')} {word('prepositions')} {word('first')}"
        if dice < 0.92:
            return f"{self._rng.randint(2, 990)} {word('nouns')}"
        return f"{word('nouns')} {word('nouns')}"

    def _agent(self, name: str, *, opening: bool) -> str:
        if opening:
            who = f"{self.word('first')} from {self.word('cities')} Services"
            return f"Hello, this is {who}. Am I speaking with {name}?"
        start = self.word("agreed").format(name=name.partition(" ")[0])
        return f"{start} {_capital(self._rng.choice(_OF_AGENTS)(self))}"

    def _user(self) -> str:
        dice = self._rng.random()
        if dice < 0.12:
            return self.word("short")
        text = self._rng.choice(_OF_USERS)(self)
        return f"{self.word('starts')} {text}" if dice < 0.6 else _capital(text)

    def _vary(self, words: list[str]) -> None:
        """Endings for some; others become a brand, a medicine, a mishearing that is seldom said twice."""
        for index in self._rng.sample(range(_POOL), _POOL // 2):
            words[index] += self.word("endings")
        for index in self._rng.sample(range(_POOL), _POOL // 3):
            words[index] = "".join(self.word("syllables") for _ in range(self._rng.randint(2, 5)))


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


_Speech = Callable[[Talk], str]
_OF_USERS: Final[tuple[_Speech, ...]] = (
    lambda t: f"{t.clause()}.",
    lambda t: f"{t.clauses()}.",
    lambda t: f"{t.clauses()}. {_capital(t.clause())}?",
    lambda t: f"it was {t.date()}, {t.clause()}.",
    lambda t: f"{t.clauses()}, {t.money()} I think.",
    lambda t: f"my number is {t.reference()}, {t.clause()}.",
    lambda t: f"I live at {t.address()}, {t.clause()}.",
    lambda t: f"could you {t.word('verbs')} {t.thing()} {t.word('adverbs')}?",
    lambda t: f"maybe at {t.clock()}, {t.clauses()}.",
    lambda t: f"this is {t.name()}, {t.clauses()}.",
)
_OF_AGENTS: Final[tuple[_Speech, ...]] = (
    lambda t: f"could you {t.word('verbs')} {t.thing()} {t.word('links')} {t.clause()}?",
    lambda t: f"I have {t.date()} at {t.clock()} for {t.thing()}. Would that {t.word('verbs')}?",
    lambda t: (
        f"{t.thing()} of {t.money()} {t.word('is')} {t.word('adjectives')}. Shall I {t.word('verbs')} it?"
    ),
    lambda t: f"I can see {t.thing()} under {t.reference()}, and {t.clause()}.",
    lambda t: f"we will {t.word('verbs')} {t.thing()} to {t.address()}. Is that {t.word('adjectives')}?",
    lambda t: f"{t.clauses()}. Is there {t.thing()} I can {t.word('verbs')}?",
    lambda t: f"{t.clause()}, {t.clause()}, and {t.clause()}.",
    lambda t: f"{t.clauses()}. {_capital(t.clauses())}.",
)
