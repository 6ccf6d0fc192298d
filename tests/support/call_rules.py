"""What becomes of a simulated call, and what must be true of it, whatever happened."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from ringback.conversation.core.agent_turn import CUT_MARK
from ringback.conversation.transcript import Turn
from tests.support.simulated_person import COMMON
from tests.support.simulated_voice import Spoken

LOGGED = (
    "did not interrupt",
    "is the call over? no",
    'is the call over? "yes"',
    "call held",
    "answered by: human",
    "answered by: machine",
    "answered by: ivr",
    "answered by: screener",
    "answered by: fax",
    "answered by: silence",
    "leaves a message",
    "event dropped",
    "keypad",
    "The language model gave an empty reply and",
    "The language model broke off",
)
"""Beginnings of log entries that tell of something worth counting."""


@dataclass
class Call:
    """What became of the call."""

    turns: list[Turn] = field(default_factory=list)
    played: dict[int, Spoken] = field(default_factory=dict)
    said: list[tuple[str, float, float]] = field(default_factory=list)
    """The person's words, when the burst of each began and when it ended."""
    logged: list[str] = field(default_factory=list)
    holds: list[tuple[float, float]] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    """When the voice was paused."""
    hung_up: float | None = None
    greeted: float | None = None
    leg_ended: float = 0.0
    ended: float = 0.0
    transcriber_failed: bool = False
    heard: list[str] = field(default_factory=list)
    """What the dialogue was told that the person heard of each turn."""
    answered: list[str] = field(default_factory=list)
    """What the dialogue was told that the person said."""
    events: int = 0
    happened: Counter[str] = field(default_factory=Counter)


_IGNORED = ("did not interrupt", "beside the keys")
"""Words of the person that were heard and meant nothing."""


def check(call: Call) -> None:
    _check_words_of_the_person(call)
    _check_dialogue(call)
    _check_times(call)
    _check_keys(call)


def _check_words_of_the_person(call: Call) -> None:
    """Each word is in the transcript once, unless it did not interrupt, or was said before the greeting."""
    said = [word for word, _, _ in call.said if word not in COMMON]
    written = [word for turn in _turns(call, "user") for word in _words(turn.text)]
    assert written == sorted(set(written), key=said.index), f"twice or out of order: {written}"
    if call.transcriber_failed or any(line.startswith("answered by: machine") for line in call.logged):
        return  # nobody listens to what a machine goes on saying under its message
    talked_over = {w for line in call.logged if line.startswith(_IGNORED) for w in _words(line)}
    until = call.leg_ended if call.hung_up is None else call.hung_up
    for word, began, end in call.said:
        held = any(since < end + 0.3 and began < until + 0.3 for since, until in call.holds)
        counts = call.greeted is not None and call.greeted + 3.0 < end < until and word not in COMMON
        assert held or not counts or word in written or word in talked_over, f"{word} of {end:.2f} s is lost"


def _check_dialogue(call: Call) -> None:
    """The dialogue knows what the transcript says: no more, no less."""
    told = [f"{turn.text}{CUT_MARK if turn.interrupted else ''}" for turn in _turns(call, "assistant")]
    assert call.heard == told, f"the dialogue thinks that {call.heard} was heard, the transcript {told}"
    written = {turn.text for turn in _turns(call, "user")}
    assert all(text in written for text in call.answered[:-1]), "answered what is not in the transcript"
    words = [word for text in call.answered for word in _words(text)]
    assert len(words) == len(set(words)), "answered twice"


def _check_keys(call: Call) -> None:
    """What is typed is in the transcript in the order of the keys, each once at most."""
    pressed = iter(
        "".join(line.removeprefix("keypad: ") for line in call.logged if line.startswith("keypad: "))
    )
    for turn in _turns(call, "user"):
        for entry in re.findall(r"dtmf_number: (\S*)", turn.text):
            assert entry, "an entry without keys"
            assert all(key in pressed for key in entry), f"{entry} was not typed"


def _check_times(call: Call) -> None:
    ended = round(call.ended * 1000) + 1
    spoken_until = 0
    for turn in sorted(_turns(call, "assistant"), key=lambda turn: turn.start_ms):
        assert turn.start_ms >= spoken_until, f"two turns of the agent at a time: {turn}"
        spoken_until = turn.end_ms
    for turn in call.turns:
        assert turn.text
        assert 0 <= turn.start_ms <= turn.end_ms <= ended, turn
        timing = turn.timing
        if timing is None:
            continue
        assert turn.role == "assistant"
        assert 0 <= timing.endpointing_ms <= timing.total_ms, timing
        assert 0 <= timing.overhead_ms <= timing.total_ms - timing.endpointing_ms + 1, timing
        # Here the core takes no time: all of an answer's time went to waits, unless the voice was paused.
        since, until = (turn.start_ms - timing.total_ms) / 1000, turn.start_ms / 1000 + 0.001
        moments = [*call.pauses, *(end for _, end in call.holds)]
        paused = any(since <= at <= until for at in moments)
        assert paused or timing.overhead_ms <= 1, timing
        parts = (timing.first_token_ms, timing.last_token_ms, timing.first_audio_ms, timing.tools_ms)
        assert all(part is None or part >= 0 for part in parts), timing


def check_heard(utterances: Sequence[Spoken], words: Sequence[str], interrupted: bool, now: float) -> bool:
    """The words of a turn are those of its utterances that were played, the last one perhaps in part.

    Whether that part was judged by the times of the words.
    """
    by_times = False
    for spoken in utterances:
        told = spoken.text.split()
        here, words = words[: len(told)], words[len(told) :]
        assert here == told[: len(here)], f"{here} was not said: {told}"
        if spoken.played >= spoken.length:
            assert here == told, f"{here}, but all was heard: {told}"
            continue
        assert interrupted
        by_times = spoken.word_ends_ms is not None and spoken.ready <= now
        if spoken.word_ends_ms is not None and by_times:
            middles = zip([0, *spoken.word_ends_ms], spoken.word_ends_ms, strict=False)
            count = sum((begin + end) / 2 <= round(spoken.played * 1000) for begin, end in middles)
            assert len(here) == count, f"{here} does not fit the times of the words"
        else:
            limit = spoken.played / spoken.length * len(spoken.text) + 12
            assert len(" ".join(here)) <= limit, f"{here} is more than was heard"
    assert not words, f"{words} was never played"
    return by_times


def _words(text: str) -> list[str]:
    """Those that can be followed."""
    words = (word.strip(".,?!:") for word in text.split())
    return [word for word in words if word not in COMMON and word[:1] == "w" and word[1:].isdigit()]


def _turns(call: Call, role: str) -> list[Turn]:
    return [turn for turn in call.turns if turn.role == role]
