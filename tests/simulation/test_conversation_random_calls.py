"""A hundred thousand random calls through the conversation core, under rules that must hold for every one of them.

`RINGBACK_SEED=17 pytest tests/simulation/test_conversation_random_calls.py` plays one call again;
`RINGBACK_CALLS=1000000` plays more of them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

import pytest

from tests.support.call_rules import check
from tests.support.simulated_call import SimulatedCall

CALLS = int(os.environ.get("RINGBACK_CALLS", "100000"))
SEED = os.environ.get("RINGBACK_SEED")
CHUNK = 500
PROCESSES = 2

# In what share of the calls a thing happens at least: the simulation is worth something only if everything does.
HAPPENS = {
    0.1: (
        *("whole turn", "cut", "turn while talking", "function", "filler", "murmur"),
        *("hangup call_terminate", "hangup inactivity_timeout", "hangup end_call_tool", "person hung up"),
        *("noise", "backchannel", "timer interim", "timer endpoint", "call held"),
        "question for the dialogue alone",
    ),
    0.02: (
        *(
            "stop",
            "did not interrupt",
            "keypad",
            "typed",
            "presses",
            "cut by the times of the words",
            "timer online",
            "timer repeat",
            "timer doubt",
            "withdrawn answer",
        ),
        *("functions side by side", "function cancelled", "unknown function", "excuse", "apology"),
        *("transfer", "blind transfer", "hangup transferred"),
        *("injected event taken up", "hangup error", "failure llm"),
    ),
    0.002: (
        *("answered by: human", "answered by: machine", "answered by: silence", "answered by: fax"),
        *("hangup voicemail_detected", "hangup fax_detected", "leaves a message", "overheard"),
    ),
    0.0005: (
        *("answered by: ivr", "answered by: screener", "timer beep"),
        *(
            "transfer cancelled",
            "failure transcriber",
            "failure synthesizer",
            "failure system",
            "failure llm_hangup",
        ),
        *("failure graph_routing", "is the call over? no", 'is the call over? "yes"', "event dropped"),
        *("The language model gave an empty reply and", "The language model broke off"),
    ),
}


class BrokenRule(Exception):
    """A call that broke a rule; its seed and what was wrong."""


def play(seeds: Iterable[int]) -> Counter[str]:
    """In how many of the calls each thing happened."""
    happened: Counter[str] = Counter()
    for seed in seeds:
        try:
            call = SimulatedCall(seed).run()
            check(call)
        except Exception as error:
            raise BrokenRule(seed, f"{type(error).__name__}: {error}") from error
        happened.update(what for what, times in call.happened.items() if times)
    return happened


def play_all(calls: int) -> Counter[str]:
    happened: Counter[str] = Counter()
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        chunks = [pool.submit(play, range(at, min(at + CHUNK, calls))) for at in range(0, calls, CHUNK)]
        try:
            for chunk in as_completed(chunks):
                happened.update(chunk.result())
        finally:
            pool.shutdown(cancel_futures=True)
    return happened


def test_random_calls_keep_the_rules() -> None:
    try:
        happened = play([int(SEED)]) if SEED else play_all(CALLS)
    except BrokenRule as broken:
        seed, message = broken.args
        replay = f"RINGBACK_SEED={seed} python -m pytest {os.path.relpath(__file__)}"
        pytest.fail(f"seed {seed}: {message}\nreplay: {replay}")
    if not SEED and CALLS >= 20_000:
        least = {what: share for share, whats in HAPPENS.items() for what in whats}
        rare = {
            what: happened[what] / CALLS for what, share in least.items() if happened[what] < share * CALLS
        }
        assert not rare, f"too rare: {rare}"
