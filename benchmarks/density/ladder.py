"""How many calls hold: steps up until one does not, then halving between the last two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol


class Step(Protocol):
    @property
    def holds(self) -> bool: ...


def most(climb: Callable[[int], Step], start: int, stride: int, fine: int) -> int:
    """The most calls at which `climb` holds, to within `fine`; 0 where not even `start` does.

    A step that fails is tried twice: a neighbour on the machine may have been it.
    """

    def holds(calls: int) -> bool:
        return climb(calls).holds or climb(calls).holds

    good, bad = 0, start
    while holds(bad):
        good, bad = bad, bad + stride
    while bad - good > fine:
        middle = good + max(fine, (bad - good) // 2 // fine * fine)
        if middle >= bad:
            break
        if holds(middle):
            good = middle
        else:
            bad = middle
    return good
