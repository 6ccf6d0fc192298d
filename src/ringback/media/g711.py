"""G.711 mu-law and A-law by table look-up (ITU-T G.711, tables 1 and 2)."""

from __future__ import annotations

from enum import Enum
from typing import Final

import numpy as np
import numpy.typing as npt

from ringback.media.frame import SILENCE, Samples

_Table = npt.NDArray[np.uint8]
_Levels = npt.NDArray[np.int32]

_SEGMENT: Final[_Levels] = np.arange(128, dtype=np.int32) >> 4
_STEP: Final[_Levels] = np.arange(128, dtype=np.int32) & 15


def _mu_law_levels() -> tuple[_Levels, _Levels]:
    """Lower decision values and quantised values of the 128 magnitudes, on the 16-bit scale (14 bits x 4)."""
    decision = (32 << _SEGMENT) - 33 + (_STEP << (_SEGMENT + 1))
    return decision * 4, (decision + (1 << _SEGMENT)) * 4


def _a_law_levels() -> tuple[_Levels, _Levels]:
    """Lower decision values and quantised values of the 128 magnitudes, on the 16-bit scale (13 bits x 8)."""
    shift = np.maximum(_SEGMENT, 1)
    decision = (_STEP + np.where(_SEGMENT > 0, 16, 0)) << shift
    return decision * 8, (decision + (1 << shift) // 2) * 8


def _tables(levels: tuple[_Levels, _Levels], inversion: int) -> tuple[_Table, Samples]:
    """Encoder (indexed by the sample as uint16) and decoder (by the octet); `inversion` masks the octets."""
    decision, quantised = levels
    samples = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int32)
    magnitude = np.searchsorted(decision, np.abs(samples), side="right") - 1
    encoder = (np.where(samples >= 0, 0x80, 0) | magnitude) ^ inversion
    octets = np.arange(256) ^ inversion
    decoder = np.where(octets & 0x80, 1, -1) * quantised[octets & 0x7F]
    return encoder.astype(np.uint8), decoder.astype(np.int16)


class Codec(Enum):
    """A G.711 law; the value is its static RTP payload type (RFC 3551, table 4), `name` its encoding name."""

    PCMU = 0
    PCMA = 8

    def __init__(self, payload_type: int) -> None:
        self.payload_type = payload_type
        # mu-law inverts every magnitude bit (G.711 table 2a), A-law the even ones (table 1a).
        self._encoder, self._decoder = (
            _tables(_mu_law_levels(), 0x7F) if payload_type == 0 else _tables(_a_law_levels(), 0x55)
        )
        self._silence = self._encode(SILENCE)

    def encode(self, samples: Samples) -> bytes:
        """One octet a sample."""
        if samples is SILENCE:
            return self._silence
        return self._encode(samples)

    def _encode(self, samples: Samples) -> bytes:
        # No index can be out of range, and "clip" spares the check for it.
        return self._encoder.take(samples.view(np.uint16), mode="clip").tobytes()

    def decode(self, payload: bytes) -> Samples:
        """One sample an octet; a new array."""
        return self._decoder.take(np.frombuffer(payload, np.uint8))
