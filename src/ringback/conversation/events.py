"""What can happen to a conversation: the inputs of `ConversationCore.handle`.

All times are seconds on the caller's one monotonic scale, the same as the `now` of `handle`. `request`, `reply`
and `utterance` are the numbers that the core gave out in its actions; news of a cancelled one is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ringback.agents.chat import ToolCall
from ringback.agents.tools import ToolResult
from ringback.media.tones import Tone


class Timer(StrEnum):
    """The core's timers; each is set at most once at a time."""

    WELCOME = "welcome"
    ENDPOINT = "endpoint"
    DOUBT = "doubt"
    INTERIM = "interim"
    SILENCE = "silence"
    ONLINE = "online"
    REPEAT = "repeat"
    FILLER = "filler"
    MURMUR = "murmur"
    MAX_DURATION = "max_duration"
    SCREEN = "screen"
    BEEP = "beep"
    KEYPAD = "keypad"


@dataclass(frozen=True, slots=True)
class Answered:
    """The person took the call; the call's milliseconds count from here."""


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The person speaks, since `at` (earlier than now by what the voice detector needs to be sure)."""

    at: float


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The person has been silent since `at`, the end of the last window with speech."""

    at: float


@dataclass(frozen=True, slots=True)
class SoundHeard:
    """There is a sound after the person's speech, which may be them going on: the voice detector will tell."""


@dataclass(frozen=True, slots=True)
class Transcribed:
    """The answer to `Transcribe`; empty text where there were no words."""

    request: int
    text: str
    finality: float | None = None
    confidence: float | None = None
    """Both as in `media.speech.Transcription`."""
    rises: bool = False
    """What is heard by now is much louder than what was heard before: somebody nearer has begun to speak."""


@dataclass(frozen=True, slots=True)
class TranscriptionFailed:
    request: int
    message: str


@dataclass(frozen=True, slots=True)
class Overheard:
    """The answer to `Overhear`; empty text where there were no words, or they are not known."""

    request: int
    text: str


@dataclass(frozen=True, slots=True)
class ToneHeard:
    """The line said something with tones."""

    tone: Tone


@dataclass(frozen=True, slots=True)
class ReplyText:
    """A piece of what the language model says, in order."""

    reply: int
    text: str


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The answer is complete, with the functions that the language model wants called."""

    reply: int
    calls: tuple[ToolCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ReplyFailed:
    reply: int
    message: str


@dataclass(frozen=True, slots=True)
class ToolDone:
    """The answer to `RunTool`."""

    run: int
    result: ToolResult


@dataclass(frozen=True, slots=True)
class TransferAnswered:
    """The one who takes the call is there, and knows what they were to be told: see `Bridge`."""

    run: int


@dataclass(frozen=True, slots=True)
class TransferOver:
    """The transfer took place, and the agent's part in the call is over."""

    run: int


@dataclass(frozen=True, slots=True)
class Injected:
    """An event from outside (contract 8, `POST /v1/call/{run_id}/events`)."""

    name: str
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AudioReady:
    """The first audio of an utterance has been synthesized."""

    utterance: int


@dataclass(frozen=True, slots=True)
class UtteranceStarted:
    """The first frame of an utterance went to the person."""

    utterance: int


@dataclass(frozen=True, slots=True)
class UtteranceFinished:
    """The last frame of an utterance went to the person."""

    utterance: int


@dataclass(frozen=True, slots=True)
class UtteranceFailed:
    """The synthesizer could not speak an utterance."""

    utterance: int
    message: str


@dataclass(frozen=True, slots=True)
class VoicePaused:
    """The answer to `PauseVoice`: so much audio is left to play, None while some is yet to be synthesized."""

    remaining_ms: int | None


@dataclass(frozen=True, slots=True)
class VoiceFlushed:
    """The answer to `FlushVoice`: what the person heard of the utterance that was playing, None without one.

    `audio_ms` is the length of its whole audio, or None while the synthesizer was still at it. `word_ends_ms`
    says where each word (split at white space) ends in it, where the synthesizer knows.
    """

    utterance: int | None = None
    played_ms: int = 0
    audio_ms: int | None = None
    word_ends_ms: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Digit:
    """A key of the person's keypad: one of 0-9 * # A-D."""

    key: str


@dataclass(frozen=True, slots=True)
class Held:
    """The far end put us on hold: nobody listens until Resumed."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Hold is over."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    timer: Timer


@dataclass(frozen=True, slots=True)
class AudioFailed:
    """The call has no audio any more."""

    message: str


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The call is over, whoever ended it; nothing reaches the person any more."""


Event = (
    Answered
    | SpeechStarted
    | SpeechStopped
    | SoundHeard
    | Transcribed
    | TranscriptionFailed
    | Overheard
    | ToneHeard
    | ReplyText
    | ReplyDone
    | ReplyFailed
    | ToolDone
    | TransferAnswered
    | TransferOver
    | Injected
    | AudioReady
    | UtteranceStarted
    | UtteranceFinished
    | UtteranceFailed
    | VoicePaused
    | VoiceFlushed
    | Digit
    | Held
    | Resumed
    | TimerFired
    | AudioFailed
    | LegEnded
)
