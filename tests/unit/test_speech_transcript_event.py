"""The transcript with our own field, as strangers and we read it."""

from __future__ import annotations

import pytest
from wyoming.asr import Transcript
from wyoming.event import Event

from ringback.speech.transcript_event import TranscriptEvent


def test_there_and_back() -> None:
    sent = TranscriptEvent("Good day.", "en", -1.234, -0.456).event()
    assert TranscriptEvent.from_event(sent) == TranscriptEvent("Good day.", None, -1.23, -0.46)


def test_each_figure_may_be_known_without_the_other() -> None:
    ended, sure = TranscriptEvent("Yes.", None, -1.0, None), TranscriptEvent("Yes.", None, None, -1.0)
    assert TranscriptEvent.from_event(ended.event()) == ended
    assert TranscriptEvent.from_event(sure.event()) == sure


def test_a_stranger_reads_its_own_fields() -> None:
    heard = Transcript.from_event(TranscriptEvent("Good day.", "en", -1.0, -1.0).event())
    assert (heard.text, heard.language) == ("Good day.", "en")


def test_what_is_not_known_is_not_sent() -> None:
    assert not {"finality", "confidence"} & set(TranscriptEvent("Good day.").event().data)


@pytest.mark.parametrize("junk", [None, "sure", True, 0.5, float("nan"), float("-inf"), [-1.0]])
def test_what_makes_no_sense_is_not_known(junk: object) -> None:
    data = {"text": " Yes. ", "finality": junk, "confidence": junk}
    heard = TranscriptEvent.from_event(Event("transcript", data))
    assert heard == TranscriptEvent("Yes.")


def test_an_event_without_a_text_has_no_words() -> None:
    assert TranscriptEvent.from_event(Event("transcript", {"text": None})).text == ""
