"""What people say on the telephone, and what the telephone makes of it."""

from __future__ import annotations

from typing import Final

import numpy as np

from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.g711 import Codec

SENTENCES: Final = {
    "Yes.": "Yes.",
    "No.": "No.",
    "Hello?": "Hello?",
    "Yes, please.": "Yes, please.",
    "No, thank you.": "No, thank you.",
    "Who is this?": "Who is this?",
    "My name is Sarah Connor.": "My name is Sarah Connor.",
    "This is Michael Brown speaking.": "This is Michael Brown speaking.",
    "The fourteenth of March at half past three.": "The 14th of March at half past three.",
    "Tuesday at ten o'clock works for me.": "Tuesday at 10 o'clock works for me.",
    "My number is five five five, one two three four.": "My number is 555 1234.",
    "Call me back at four one five, two zero six, nine nine seven eight.": "Call me back at 415 206 9978.",
    "I would like to move my appointment to next Tuesday, please.": (
        "I would like to move my appointment to next Tuesday, please."
    ),
    "Can you tell me the opening hours on Saturday?": "Can you tell me the opening hours on Saturday?",
    "I need to cancel, because I am out of town that week.": (
        "I need to cancel, because I am out of town that week."
    ),
    "My date of birth is the second of June, nineteen eighty four.": (
        "My date of birth is the 2nd of June 1984."
    ),
    "The order number is seven three nine two.": "The order number is 7392.",
    "That is right, thank you very much.": "That is right, thank you very much.",
    "Sorry, could you repeat that?": "Sorry, could you repeat that?",
    "I paid forty two dollars and fifty cents.": "I paid $42.50.",
    "We are a party of four, if that is possible.": "We are a party of four, if that is possible.",
    "Goodbye.": "Goodbye.",
}
"""What is said, and how it is commonly written."""


def telephone(audio: Samples) -> Samples:
    """Through mu-law and back, with the silence that endpointing waits for at the end."""
    coded = Codec.PCMU.decode(Codec.PCMU.encode(audio))
    return np.concatenate([coded, np.zeros(SAMPLE_RATE * 3 // 10, dtype=np.int16)])
