import pytest

from ringback.speech.whisper import context_frames


@pytest.mark.parametrize(
    ("frames", "context"),
    [(0, 800), (400, 800), (401, 900), (1000, 1400), (2600, 3000), (3000, 3000), (9000, 3000)],
)
def test_the_context_covers_the_utterance_and_a_margin(frames: int, context: int) -> None:
    assert context_frames(frames) == context
