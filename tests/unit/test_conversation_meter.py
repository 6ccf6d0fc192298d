"""Which turn a use of a provider was for, and what is one line of the bill."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.conversation.meter import Meter
from ringback.conversation.result import Usage
from ringback.conversation.transcript import Turn

ANSWERED = 50.0
TURNS = [
    Turn("assistant", "Hello?", 100, 1000),
    Turn("user", "Hello.", 1500, 2000),
    Turn("assistant", "How are you?", 2500, 3500),
    Turn("user", "Fine.", 4000, 4400),
    Turn("assistant", "Goodbye.", 5000, 6000),
]


class Clock:
    def __init__(self) -> None:
        self.at = ANSWERED

    def monotonic(self) -> float:
        return self.at

    def now_us(self) -> int:
        raise AssertionError("a meter needs no date")

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("a meter does not wait")


class Bill:
    def __init__(self) -> None:
        self.clock = Clock()
        self.meter = Meter(self.clock)

    def used(self, component: str, quantity: int, since_ms: float, until_ms: float, **parts: str) -> None:
        self.clock.at = ANSWERED + until_ms / 1000
        units = {"transcriber": "milliseconds", "synthesizer": "characters", "llm": "input_tokens"}
        self.meter.used(
            component,  # type: ignore[arg-type]
            parts.pop("provider", "p"),
            "m",
            units[component],  # type: ignore[arg-type]
            quantity,
            ANSWERED + since_ms / 1000,
            **parts,  # type: ignore[arg-type]
        )

    def turn(self, turns: list[Turn] = TURNS) -> tuple[int | None, str]:
        [line] = self.meter.lines(turns, ANSWERED)
        return line.turn, line.purpose


@pytest.mark.parametrize(
    ("since_ms", "until_ms", "turn"),
    [
        (1500, 2200, 1),
        (1400, 1700, 1),
        (3900, 4600, 3),
        (1400, 4100, 3),  # a look that reaches back over the turn before
        (4400, 4500, 3),
        (4401, 4999, None),
        (0, 1499, None),
        (0, 1500, 1),
    ],
)
def test_what_was_heard_is_of_the_turn_in_which_it_was_said(
    since_ms: int, until_ms: int, turn: int | None
) -> None:
    bill = Bill()
    bill.used("transcriber", 1, since_ms, until_ms)
    assert bill.turn() == (turn, "conversation")


@pytest.mark.parametrize(
    ("component", "at_ms", "turn", "purpose"),
    [
        ("synthesizer", 0, 0, "welcome_message"),
        ("synthesizer", 999, 0, "welcome_message"),
        ("synthesizer", 1000, 2, "conversation"),
        ("synthesizer", 3000, 2, "conversation"),
        ("synthesizer", 5999, 4, "conversation"),
        ("synthesizer", 6000, None, "conversation"),
        ("llm", 0, 0, "conversation"),
        ("llm", 2100, 2, "conversation"),
        ("llm", 3500, 4, "conversation"),
        ("llm", 6000, None, "conversation"),
    ],
)
def test_what_is_said_is_of_the_next_turn_that_somebody_hears(
    component: str, at_ms: int, turn: int | None, purpose: str
) -> None:
    bill = Bill()
    bill.used(component, 1, at_ms, at_ms + 300)
    assert bill.turn() == (turn, purpose)


@pytest.mark.parametrize(("at_ms", "turn"), [(999, None), (1000, 0), (3499, 0), (3500, 2), (9999, 4)])
def test_the_judgement_whether_it_is_over_is_of_the_turn_that_was_judged(
    at_ms: int, turn: int | None
) -> None:
    bill = Bill()
    bill.used("llm", 1, at_ms, at_ms + 300, purpose="hangup")
    assert bill.turn() == (turn, "hangup")


def test_a_welcome_that_nobody_heard_is_one_unless_somebody_spoke() -> None:
    bill = Bill()
    bill.used("synthesizer", 5, 0, 0)
    assert bill.turn([]) == (None, "welcome_message")
    assert bill.turn([Turn("user", "Who?", 100, 900)]) == (None, "conversation")


def test_an_agent_that_waits_for_the_person_has_no_welcome() -> None:
    bill = Bill()
    bill.used("synthesizer", 5, 1000, 1000)
    assert bill.turn([Turn("user", "Hello?", 100, 900), Turn("assistant", "Hi.", 1200, 1600)]) == (
        1,
        "conversation",
    )


def test_turns_have_the_numbers_under_which_they_were_told() -> None:
    """An interrupted turn of the agent may be told before the one that it was said over."""
    bill = Bill()
    bill.used("transcriber", 5, 200, 700)
    assert bill.turn([Turn("assistant", "Hello", 400, 600), Turn("user", "Wait", 100, 500)])[0] == 1


def test_uses_of_a_turn_are_one_line_with_the_moment_of_the_first() -> None:
    bill = Bill()
    bill.used("llm", 7, 2300, 2400)
    bill.used("llm", 5, 2100, 2200)
    bill.used("llm", 1, 2200, 2250, purpose="routing")
    bill.used("llm", 3, 2250, 2260, provider="other")
    bill.used("llm", 9, 2260, 2270, detail="estimated")
    bill.used("llm", 0, 2000, 2010, detail="none")
    assert bill.meter.lines(TURNS, ANSWERED) == [
        Usage("llm", "p", "m", "input_tokens", 12, turn=2, at_ms=2100),
        Usage("llm", "p", "m", "input_tokens", 1, turn=2, at_ms=2200, purpose="routing"),
        Usage("llm", "other", "m", "input_tokens", 3, turn=2, at_ms=2250),
        Usage("llm", "p", "m", "input_tokens", 9, detail="estimated", turn=2, at_ms=2260),
    ]


def test_what_began_before_the_answer_is_of_the_answer() -> None:
    bill = Bill()
    bill.used("transcriber", 5, -40, 1600)
    [line] = bill.meter.lines(TURNS, ANSWERED)
    assert line.at_ms == 0


uses = st.lists(
    st.tuples(
        st.sampled_from(["transcriber", "synthesizer", "llm"]), st.integers(0, 99), st.integers(0, 7000)
    )
)


@given(uses)
def test_nothing_is_lost_and_nothing_is_counted_twice(used: list[tuple[str, int, int]]) -> None:
    bill = Bill()
    for component, quantity, at_ms in used:
        bill.used(component, quantity, at_ms, at_ms + 100)
    lines = bill.meter.lines(TURNS, ANSWERED)
    for component in ("transcriber", "synthesizer", "llm"):
        metered = sum(line.quantity for line in lines if line.component == component)
        assert metered == sum(quantity for name, quantity, _ in used if name == component)
    assert len({(line.component, line.turn, line.purpose) for line in lines}) == len(lines)
    assert all(line.quantity for line in lines)
