"""Thousands of random calls through the conversation core, under rules that must hold for every one of them.

`RINGBACK_SEED=17 pytest tests/simulation/test_conversation_random_calls.py` plays one call again;
`RINGBACK_CALLS=100000` plays more of them.
"""

from __future__ import annotations

import os
from collections import Counter

import pytest

from ringback.conversation.transcript import Turn
from tests.support.simulated_call import Call, SimulatedCall

CALLS = int(os.environ.get("RINGBACK_CALLS", "5000"))
SEED = os.environ.get("RINGBACK_SEED")


def test_random_calls_keep_the_rules() -> None:
    ends: Counter[str] = Counter()
    for seed in [int(SEED)] if SEED else range(CALLS):
        try:
            call = SimulatedCall(seed).run()
            check(call)
        except Exception as error:
            replay = f"RINGBACK_SEED={seed} python -m pytest {os.path.relpath(__file__)}"
            pytest.fail(f"seed {seed}: {type(error).__name__}: {error}\nreplay: {replay}")
        ends["agent" if call.hung_up is not None else "person"] += 1
        ends["interrupted"] += any(turn.interrupted for turn in call.turns)
        ends["answered"] += any(turn.latency_ms is not None for turn in call.turns)
    if not SEED and CALLS >= 1000:
        # The simulation is worth something only if everything happens in it.
        assert min(ends.values()) > 0.05 * CALLS, ends


def check(call: Call) -> None:
    check_words_of_the_person(call)
    check_what_was_heard(call)
    for turn in call.turns:
        assert turn.text
        assert 0 <= turn.start_ms <= turn.end_ms <= round(call.ended * 1000) + 1, turn
        assert turn.latency_ms is None or turn.latency_ms > 0, turn


def check_words_of_the_person(call: Call) -> None:
    """Each word is in the transcript once, unless it did not interrupt, or was said before the greeting."""
    said = [word for word, _ in call.said if word != "seven"]
    written = [word for turn in turns(call, "user") for word in turn.text.split() if word != "seven"]
    assert written == sorted(set(written), key=said.index), f"twice or out of order: {written}"
    if call.transcriber_failed:
        return
    talked_over = {word for line in call.logged if line.startswith("did not") for word in line.split()}
    until = call.leg_ended if call.hung_up is None else call.hung_up
    for word, end in call.said:
        counts = call.greeted is not None and call.greeted + 3.0 < end < until and word != "seven"
        assert not counts or word in written or word in talked_over, f"{word} of {end:.2f} s is lost"


def check_what_was_heard(call: Call) -> None:
    """No more than was played, and all that was played to its end."""
    heard = " ".join(turn.text for turn in turns(call, "assistant")).split()
    least = [word for u in call.played.values() if u.played >= u.length for word in u.text.split()]
    most = [word for u in call.played.values() for word in u.text.split()]
    assert len(least) <= len(heard) <= len(most), f"heard {heard} of {most}"
    limit = sum(min(1.0, u.played / u.length) * len(u.text) + 12 for u in call.played.values())
    assert len(" ".join(heard)) <= limit


def turns(call: Call, role: str) -> list[Turn]:
    return [turn for turn in call.turns if turn.role == role]
