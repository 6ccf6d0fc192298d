"""A second voice for the simulated person: the synthesizer's own, pitched down."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from scipy.signal import resample_poly

from ringback.media.frame import Samples


def deepen(samples: Samples, factor: float) -> Samples:
    """The same words in a voice lower by `factor` (0.85: about three semitones), of whatever sampling rate.

    Like a tape played slower: it lasts 1/factor as long, so synthesize at speed 1/factor to keep the pace.
    """
    ratio = Fraction(factor).limit_denominator(100)
    slower = resample_poly(samples.astype(np.float32), ratio.denominator, ratio.numerator)
    return np.rint(np.clip(slower, -32768, 32767)).astype(np.int16)
