"""How long a conversation waits for what, in seconds unless the name says otherwise."""

from __future__ import annotations

from typing import Final

HELLO_S: Final = 1.5
"""The welcome message lets a hello end, but waits no longer than this for it."""
NOISE_GRACE_S: Final = 2.0
"""After a noise without words, or a repetition, the person has at least so long before the silence is too long."""
DOUBT_S: Final = 0.16
"""After a sound that may be the person going on, an answer waits so long for the voice detector to tell."""
MAX_DOUBT_S: Final = 0.4
"""No answer is put off for longer by sounds."""
INTERIM_S: Final = 0.6
"""So long after the onset of speech over the agent's voice, and again so long after each look, its words are
looked at: two short words fit into it."""
MAX_INTERIMS: Final = 2
"""After so many looks that found too few words the voice resumes: it must not wait for a noise to end."""
LAST_WORDS_MS: Final = 1000
"""Whoever speaks while less than this is left to play may be answering: a word is enough."""
FILLER_S: Final = 0.7
"""A language model that has said nothing for so long is covered by a filler."""
KEYPAD_S: Final = 4.0
"""Whoever types may look for the next digit for so long."""
BESIDE_KEYS_S: Final = 2.0
"""Keys that are complete wait no longer than this for a sound beside them to end."""
AWAY_S: Final = 4 * 3600.0
"""So long somebody else may have the person; the longest call counts for the time with the agent."""
TOOL_FILLERS_S: Final = (1.0, 8.0)
"""Functions that run longer than this are excused, the second time too."""
