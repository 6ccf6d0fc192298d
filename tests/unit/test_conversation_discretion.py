"""What was typed and is not to be shown is shown nowhere."""

from __future__ import annotations

import pytest

from ringback.conversation.discretion import Discretion
from ringback.conversation.transcript import LogEntry, Turn


class Reader:
    def __init__(self) -> None:
        self.read: list[str] = []

    def log(self, entry: LogEntry) -> None:
        self.read += [entry.data, entry.reasoning]

    def turn(self, turn: Turn) -> None:
        self.read.append(turn.text)


CARD = "4111111111111111"


def typed(masked: bool) -> tuple[Discretion, Reader]:
    reader = Reader()
    discretion = Discretion(reader, masked)
    for key in CARD:
        discretion.log(LogEntry("event", "system", f"keypad: {key}"))
    discretion.turn(Turn("user", f"it is dtmf_number: {CARD}", 0, 1))
    return discretion, reader


@pytest.mark.parametrize(
    "told",
    [
        f'{{"card": "{CARD}"}}',
        "4111 1111 1111 1111, is that right?",
        "4 1 1 1, 1 1 1 1, 1 1 1 1, 1 1 1 1.",
        "4111-1111-1111-1111",
        f"[{CARD}]",
    ],
)
def test_it_stands_in_no_line_and_no_turn(told: str) -> None:
    discretion, reader = typed(masked=True)
    discretion.log(LogEntry("request", "tool", told, reasoning=told))
    discretion.turn(Turn("assistant", told, 2, 3))
    digits = "".join(character for text in reader.read for character in text if character.isdecimal())
    assert digits == ""
    assert reader.read[-1].count("*") == len(CARD)


def test_it_stands_in_no_data() -> None:
    discretion, _ = typed(masked=True)
    data = {
        "card": CARD,
        "number": int(CARD),
        "deep": [{"said": f"it is {CARD}"}],
        "year": 2026,
        "paid": True,
        "x": None,
    }
    stars = "*" * len(CARD)
    assert discretion.shown(data) == {
        "card": stars,
        "number": stars,
        "deep": [{"said": f"it is {stars}"}],
        "year": 2026,
        "paid": True,
        "x": None,
    }


def test_a_short_entry_hides_itself_and_not_every_digit() -> None:
    reader = Reader()
    discretion = Discretion(reader, masked=True)
    discretion.turn(Turn("user", "dtmf_number: 1", 0, 1))
    discretion.log(LogEntry("event", "system", "at 11 o'clock"))
    assert reader.read == ["dtmf_number: *", "at 11 o'clock", ""]


def test_without_the_setting_everything_is_shown() -> None:
    discretion, reader = typed(masked=False)
    assert reader.read[-1] == f"it is dtmf_number: {CARD}"
    assert discretion.shown({"card": CARD}) == {"card": CARD}
