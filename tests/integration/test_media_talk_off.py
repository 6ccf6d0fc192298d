"""What people say is never taken for a key: voices on telephone lines, with their noise."""

from __future__ import annotations

import random

from benchmarks.voicemail.labels import answers
from benchmarks.voicemail.render import render
from ringback.media.dtmf_tones import ToneReceiver
from ringback.media.frame import FRAME_SAMPLES
from ringback.media.leg import Digit


def test_spoken_answers_press_no_keys() -> None:
    spoken = [answer for answer in answers() if all(part.tone is None for part in answer.parts)]
    keys: list[Digit] = []
    for answer in random.Random(7).sample(spoken, 60):
        receiver, wire = ToneReceiver(keys.append), render(answer).wire
        for frame in wire[: len(wire) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES):
            receiver.hear(frame)
    assert keys == []
