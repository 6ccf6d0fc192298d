"""Voices far below the caller's level are somebody else's."""

from __future__ import annotations

import numpy as np
import pytest

from ringback.speech.level_gate import HOLD_DB, LevelGate

SPEECH = np.array([0.9], dtype=np.float32)


def window(level_db: float) -> np.ndarray:
    return np.full((1, 256), 10 ** (level_db / 20), dtype=np.float32)


def heard(gate: LevelGate, *levels_db: float, slot: int = 0) -> list[bool]:
    return [bool(gate.apply([slot], window(level), SPEECH)[0] > 0.5) for level in levels_db]


def test_the_background_is_silence_once_the_caller_has_spoken() -> None:
    gate = LevelGate(1)
    assert heard(gate, *[-40.0] * 5) == [True] * 5
    assert heard(gate, *[-20.0] * 20) == [True] * 20
    after = heard(gate, *[-40.0] * 30)
    assert not any(after[15:])


def test_a_soft_syllable_belongs_to_the_loud_ones_around_it() -> None:
    gate = LevelGate(1)
    heard(gate, *[-20.0] * 20)
    assert heard(gate, -35.0, -35.0, -35.0, -20.0) == [True] * 4
    # As long as the held level takes to fall by the margin.
    assert heard(gate, *[-35.0] * int(12 / HOLD_DB - 1)) == [True] * int(12 / HOLD_DB - 1)


def test_a_caller_who_turns_away_is_heard_again() -> None:
    gate = LevelGate(1)
    heard(gate, *[-15.0] * 20)
    soft = heard(gate, *[-33.0] * 200)
    assert not soft[30]
    assert soft[-1]


def test_every_stream_has_its_own_level() -> None:
    gate = LevelGate(1)
    heard(gate, *[-10.0] * 20)
    gate.grow(3)
    assert heard(gate, -40.0, -40.0, slot=2) == [True, True]
    heard(gate, *[-40.0] * 30)
    gate.reset(0)
    assert heard(gate, -40.0) == [True]


@pytest.mark.parametrize("probability", [0.0, 0.2])
def test_noise_raises_no_level(probability: float) -> None:
    gate = LevelGate(1)
    for _ in range(20):
        gate.apply([0], window(-5.0), np.array([probability], dtype=np.float32))
    assert heard(gate, -40.0) == [True]
