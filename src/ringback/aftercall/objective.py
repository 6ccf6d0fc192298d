"""The objective part of a disposition: which of its options holds, down to the finest (contract 13)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringback.agents.disposition import Option


@dataclass(frozen=True, slots=True)
class Choice:
    """An option under those that it refines."""

    path: tuple[str, ...]
    condition: str


class Choices:
    """By what the language model answers: the path, put together by what no value holds."""

    def __init__(self, options: Sequence[Option]) -> None:
        choices = list(_choices(options, ()))
        between = _between([choice.path[-1] for choice in choices])
        self._by_key = {between.join(choice.path): choice for choice in choices}

    def schema(self) -> Mapping[str, Any]:
        """Of the answer: one of the options, or null where none holds."""
        return {"type": ["string", "null"], "enum": [*self._by_key, None]}

    def task(self) -> str:
        """In words."""
        lines = [f"- {_quoted(key, choice.condition)}" for key, choice in self._by_key.items()]
        finer = (
            " Choose the finest that holds; the coarser one where none of its finer ones does."
            if any(len(choice.path) > 1 for choice in self._by_key.values())
            else ""
        )
        return (
            f"`objective` is the one of these options whose condition holds, or null where none does.{finer}\n"
            + "\n".join(lines)
        )

    def chosen(self, key: str | None) -> Choice | None:
        return None if key is None else self._by_key.get(key)


def _choices(options: Sequence[Option], above: tuple[str, ...]) -> Iterator[Choice]:
    for option in options:
        path = (*above, option.value)
        yield Choice(path, option.condition)
        yield from _choices(option.sub_options, path)


def _between(values: Sequence[str]) -> str:
    arrow = ">"
    while any(arrow in value for value in values):
        arrow += ">"
    return f" {arrow} "


def _quoted(key: str, condition: str) -> str:
    return f'"{key}": {condition}' if condition else f'"{key}"'
