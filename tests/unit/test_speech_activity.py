import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.media.activity import ActivitySettings, SpeechActivity, SpeechStarted, SpeechStopped

WINDOW_MS = 32
SETTINGS = ActivitySettings(onset=0.5, offset=0.3, certain=0.95, min_speech_ms=64, hangover_ms=96)


def changes(probabilities: list[float], settings: ActivitySettings = SETTINGS) -> list[object]:
    activity = SpeechActivity(WINDOW_MS, settings)
    return [change for probability in probabilities if (change := activity.push(probability))]


def test_an_utterance_starts_at_its_first_window_and_stops_at_the_end_of_its_last() -> None:
    assert changes([0.1] * 3 + [0.9] * 5 + [0.1] * 10) == [SpeechStarted(3 * 32), SpeechStopped(8 * 32)]


def test_it_is_reported_when_the_minimum_is_reached_and_not_before() -> None:
    activity = SpeechActivity(WINDOW_MS, SETTINGS)
    assert activity.push(0.9) is None
    assert activity.push(0.9) == SpeechStarted(0)


def test_what_is_certain_is_reported_at_once() -> None:
    activity = SpeechActivity(WINDOW_MS, SETTINGS)
    assert activity.push(0.95) == SpeechStarted(0)


def test_a_click_shorter_than_the_minimum_is_nothing() -> None:
    assert changes([0.1, 0.9, 0.1, 0.1, 0.9, 0.1]) == []


def test_between_the_thresholds_speech_goes_on_but_does_not_begin() -> None:
    assert changes([0.4] * 20) == []
    assert changes([0.9] * 2 + [0.4] * 20) == [SpeechStarted(0)]


def test_a_gap_shorter_than_the_hangover_is_inside_the_utterance() -> None:
    assert changes([0.9] * 3 + [0.0] * 2 + [0.9] * 3 + [0.0] * 3) == [SpeechStarted(0), SpeechStopped(8 * 32)]


def test_silence_counts_from_the_last_speech_also_before_the_stop_and_over_clicks() -> None:
    activity = SpeechActivity(WINDOW_MS, SETTINGS)
    silences = []
    for probability in [0.9, 0.9, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0, 0.9, 0.0]:
        activity.push(probability)
        silences.append(activity.silence_ms // WINDOW_MS)
    assert silences == [1, 0, 1, 2, 0, 1, 2, 3, 4, 5]
    assert not activity.speaking


@pytest.mark.parametrize(
    "bad",
    [
        {"onset": 0.3, "offset": 0.5},
        {"onset": 1.0},
        {"onset": 1.0, "certain": 1.0},
        {"certain": 0.4},
        {"certain": 1.1},
        {"offset": 0.0},
        {"min_speech_ms": -1},
        {"hangover_ms": -1},
    ],
)
def test_settings_that_make_no_sense_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="activity"):
        ActivitySettings(**bad)  # type: ignore[arg-type]


@given(
    st.lists(st.floats(0, 1), max_size=300),
    st.integers(0, 200),
    st.integers(0, 400),
    st.lists(st.floats(0.01, 0.99), min_size=3, max_size=3).map(sorted),
)
def test_starts_and_stops_alternate_in_time(
    probabilities: list[float], min_speech_ms: int, hangover_ms: int, thresholds: list[float]
) -> None:
    offset, onset, certain = thresholds
    settings = ActivitySettings(onset, offset, certain, min_speech_ms, hangover_ms)
    activity = SpeechActivity(WINDOW_MS, settings)
    last: object = SpeechStopped(0)
    last_ms = 0
    for probability in probabilities:
        change = activity.push(probability)
        if change is not None:
            assert isinstance(change, SpeechStarted) != isinstance(last, SpeechStarted)
            assert last_ms <= change.at_ms <= activity.now_ms
            last, last_ms = change, change.at_ms
        assert activity.speaking == isinstance(last, SpeechStarted)
        assert 0 <= activity.silence_ms <= activity.now_ms
