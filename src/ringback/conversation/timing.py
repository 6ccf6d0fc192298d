"""How long a conversation waits for what."""

from __future__ import annotations

from typing import Final

from ringback.agents.plan import TalkSettings

HELLO_S: Final = 1.5
"""The welcome message lets a hello end, but waits no longer than this for it."""
NOISE_GRACE_S: Final = 2.0
"""After a noise without words the person has at least so long before the silence is too long."""
INTERIM_S: Final = 0.6
"""So long after the onset of speech over the agent's voice, and again so long after each look, its words are
looked at: two short words fit into it."""
MAX_INTERIMS: Final = 2
"""After so many looks that found too few words the voice resumes: it must not wait for a noise to end."""
LAST_WORDS_MS: Final = 1000
"""Whoever speaks while less than this is left to play is answering: any word counts."""


def endpoint_wait(talk: TalkSettings) -> float:
    """Seconds of silence after which the person's turn is over.

    Counted from the end of speech as the voice detector sees it, 80 to 145 ms after the real one (measured), so
    the default of 400 ms lets somebody take a breath.
    """
    return max(talk.endpointing_ms, talk.incremental_delay_ms) / 1000
