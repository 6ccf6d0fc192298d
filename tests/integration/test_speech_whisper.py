"""The transcriber on telephone speech: word error rate, silence, noise, length."""

import numpy as np
import pytest

from ringback.conversation.core.barge_in import SURE, UNSURE
from ringback.demo.voice import deepen
from ringback.demo.words import errors
from ringback.media.frame import SAMPLE_RATE
from ringback.speech.hibari import HibariVoice
from ringback.speech.weights import whisper_directory
from ringback.speech.whisper import MAX_UTTERANCE_S, WhisperModel
from tests.support.telephone_sentences import SENTENCES, telephone


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> WhisperModel:
    return WhisperModel(whisper_directory("base", tmp_path_factory.mktemp("whisper")))


@pytest.fixture(scope="module")
def hibari() -> HibariVoice:
    return HibariVoice()


@pytest.mark.parametrize("factor", [1.0, 0.85])
def test_telephone_sentences_in_both_voices(
    whisper: WhisperModel, hibari: HibariVoice, factor: float
) -> None:
    wrong = said = 0
    for sentence, written in SENTENCES.items():
        heard = whisper.transcribe(telephone(deepen(hibari.speak(sentence), factor)))
        found, words = errors(written, heard)
        wrong, said = wrong + found, said + words
    assert said > 120
    assert wrong / said <= 0.10


def test_an_utterance_longer_than_whisper_hears_at_once(whisper: WhisperModel, hibari: HibariVoice) -> None:
    pause = np.zeros(SAMPLE_RATE // 4, dtype=np.int16)
    text = [sentence for sentence in SENTENCES if len(sentence) > 40] * 2
    audio = np.concatenate([part for sentence in text for part in (hibari.speak(sentence), pause)])
    assert len(audio) > 45 * SAMPLE_RATE
    wrong, said = errors(
        " ".join(SENTENCES[sentence] for sentence in text), whisper.transcribe(telephone(audio))
    )
    assert wrong / said <= 0.10


@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.5, 3.0, 12.0])
@pytest.mark.parametrize("level", [0, 8, 30, 300, 3000])
def test_silence_and_noise_are_no_words(whisper: WhisperModel, seconds: float, level: int) -> None:
    noise = np.random.default_rng(1).standard_normal(int(SAMPLE_RATE * seconds)) * level
    assert whisper.transcribe(telephone(noise.astype(np.int16))) == ""


def test_hum_and_clicks_are_no_words(whisper: WhisperModel) -> None:
    hum = (1000 * np.sin(2 * np.pi * 50 * np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE)).astype(np.int16)
    clicks = np.zeros(2 * SAMPLE_RATE, dtype=np.int16)
    clicks[::4000] = 20_000
    assert whisper.transcribe(telephone(hum)) == ""
    assert whisper.transcribe(telephone(clicks)) == ""


def test_the_words_tell_whether_a_sentence_ends(whisper: WhisperModel, hibari: HibariVoice) -> None:
    def finality(text: str, language: str = "en") -> float | None:
        return whisper.hear(telephone(hibari.speak(text)), language).finality

    whole = finality("I would like to change my appointment.")
    asked = finality("Are you open on Sundays?")
    broken = finality("I would like to change my")
    assert whole is not None
    assert asked is not None
    assert broken is not None
    assert min(whole, asked) > -2.5
    assert broken < -5.0
    assert finality("I would like to change my", "de") is None


@pytest.mark.parametrize("text", ["Not that one.", "No.", "I would like to change my appointment."])
def test_the_transcriber_is_sure_of_words(whisper: WhisperModel, hibari: HibariVoice, text: str) -> None:
    heard = whisper.hear(telephone(hibari.speak(text)))
    assert heard.text == text
    assert heard.confidence is not None
    assert SURE < heard.confidence <= 0.0


@pytest.mark.parametrize("murmur", ["Mm.", "Mhm mhm.", "Hm hm."])
def test_the_transcriber_is_not_sure_of_murmurs(
    whisper: WhisperModel, hibari: HibariVoice, murmur: str
) -> None:
    heard = whisper.hear(telephone(hibari.speak(murmur)))
    assert heard.text
    assert heard.confidence is not None
    assert heard.confidence < UNSURE


def test_a_long_audio_is_as_sure_as_its_least_sure_piece(whisper: WhisperModel, hibari: HibariVoice) -> None:
    sure = np.concatenate([hibari.speak("I would like to change my appointment.")] * 20)
    sure = sure[: MAX_UTTERANCE_S * SAMPLE_RATE]
    assert len(sure) == MAX_UTTERANCE_S * SAMPLE_RATE
    murmur = telephone(hibari.speak("Mhm mhm."))
    heard, alone = whisper.hear(np.concatenate([sure, murmur])), whisper.hear(murmur)
    assert heard.text.startswith("I would like")
    assert heard.confidence == alone.confidence


def test_no_words_have_no_figures(whisper: WhisperModel) -> None:
    heard = whisper.hear(np.zeros(SAMPLE_RATE, dtype=np.int16))
    assert (heard.finality, heard.confidence) == (None, None)


def test_the_language_is_an_option_and_may_have_a_region(whisper: WhisperModel, hibari: HibariVoice) -> None:
    audio = telephone(hibari.speak("Can you tell me the opening hours on Saturday?"))
    english = whisper.transcribe(audio, "en")
    assert whisper.transcribe(audio, "en-US") == english
    assert whisper.transcribe(audio, "") == english
    assert whisper.transcribe(audio, "de") != english


def test_the_synthesizer_is_loud_and_does_not_clip(hibari: HibariVoice) -> None:
    for sentence in SENTENCES:
        audio = hibari.speak(sentence).astype(np.float32)
        active = audio[np.abs(audio) > 200]
        assert np.abs(audio).max() < 32_000
        assert -24 <= 20 * np.log10(np.sqrt(np.mean(active**2)) / 32768) <= -14
