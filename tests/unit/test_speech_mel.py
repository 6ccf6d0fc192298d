import numpy as np
import pytest

from ringback.speech.mel import HOP, MEL_RATE, LogMel


def tone(hertz: float, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(MEL_RATE * seconds)) / MEL_RATE).astype(np.float32)


def centre(band: int, bands: int) -> float:
    """Hertz of a band's centre, by Slaney's definition: 200/3 Hz a mel up to 1 kHz, then 27 mels a factor 6.4."""
    highest = 15 + 27 * np.log(8) / np.log(6.4)
    mel = highest * (band + 1) / (bands + 1)
    return mel * 200 / 3 if mel < 15 else 1000 * 6.4 ** ((mel - 15) / 27)


@pytest.mark.parametrize("bands", [80, 128])
@pytest.mark.parametrize("hertz", [300.0, 1000.0, 2500.0, 6000.0])
def test_a_tone_is_loudest_in_the_band_around_it(bands: int, hertz: float) -> None:
    loudest = int(LogMel(bands)(tone(hertz))[:, 20].argmax())
    assert centre(loudest - 1, bands) < hertz < centre(loudest + 1, bands)


def test_a_frame_is_10_ms_and_the_floor_lies_8_decades_below_the_peak() -> None:
    mel = LogMel(80)(np.concatenate([tone(1000.0), np.zeros(MEL_RATE, dtype=np.float32)]))
    assert mel.shape == (80, 3 * MEL_RATE // 2 // HOP)
    assert mel.dtype == np.float32
    assert mel.max() - mel.min() == pytest.approx(8 / 4)


def test_ten_times_louder_is_two_decades_of_power() -> None:
    mel = LogMel(80)
    assert mel(tone(1000.0)).max() - mel(tone(1000.0) / 10).max() == pytest.approx(2 / 4, abs=1e-4)
