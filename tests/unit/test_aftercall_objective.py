from __future__ import annotations

from ringback.aftercall.objective import Choice, Choices
from ringback.agents.disposition import Option


def option(value: str, *finer: Option) -> Option:
    return Option(value, "", finer)


def test_each_answer_is_an_option_and_its_way() -> None:
    choices = Choices([option("no", option("price"), option("time")), option("yes")])
    assert choices.schema()["enum"] == ["no", "no > price", "no > time", "yes", None]
    assert choices.chosen("no > time") == Choice(("no", "time"), "")
    assert choices.chosen("time") is None
    assert choices.chosen(None) is None


def test_what_the_values_hold_does_not_stand_between_them() -> None:
    choices = Choices([option("a", option("b")), option("a > b", option("c")), option(">>")])
    assert choices.schema()["enum"] == ["a", "a >>> b", "a > b", "a > b >>> c", ">>", None]
    assert choices.chosen("a >>> b") == Choice(("a", "b"), "")
    assert choices.chosen("a > b") == Choice(("a > b",), "")
