"""What the conversation core wants done: the outputs of `ConversationCore.handle`, in order."""

from __future__ import annotations

from dataclasses import dataclass

from ringback.agents.chat import Ask, ToolCall
from ringback.conversation.events import Timer
from ringback.conversation.transcript import Failure, LogEntry, Turn
from ringback.media.leg import HangupCause


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Transcribe what the person said from `since` (monotonic seconds) until now; answer Transcribed or
    TranscriptionFailed. At most one at a time: the previous one is over or cancelled."""

    request: int
    since: float


@dataclass(frozen=True, slots=True)
class CancelTranscription:
    request: int


@dataclass(frozen=True, slots=True)
class Overhear:
    """Transcribe what was heard from `since` until now, to learn who took the call; answer Overheard."""

    request: int
    since: float


@dataclass(frozen=True, slots=True)
class StopTones:
    """No ToneHeard is wanted any more."""


@dataclass(frozen=True, slots=True)
class StartReply:
    """Ask the language model; answer ReplyText as it comes, then ReplyDone or ReplyFailed."""

    reply: int
    ask: Ask


@dataclass(frozen=True, slots=True)
class CancelReply:
    reply: int


@dataclass(frozen=True, slots=True)
class RunTool:
    """Call a function of the agent's; answer ToolDone."""

    run: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class CancelTool:
    run: int


@dataclass(frozen=True, slots=True)
class PressKeys:
    """Send keys to the other side (see `Leg.send_digits`). No answer."""

    keys: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Hand the person over as a function of the agent's says; at most one at a time.

    Attended: call the other telephone; answer TransferAnswered, and do `Bridge`. Blind: ask the network. Then, or
    instead, answer TransferOver, or ToolDone where the person is the agent's again.
    """

    run: int
    call: ToolCall


@dataclass(frozen=True, slots=True)
class Bridge:
    """Join the two who have to talk; nothing of the agent is heard any more."""

    run: int


@dataclass(frozen=True, slots=True)
class CancelTransfer:
    run: int


@dataclass(frozen=True, slots=True)
class Speak:
    """Say a sentence after those before it; answer UtteranceStarted, UtteranceFinished or UtteranceFailed."""

    utterance: int
    text: str


@dataclass(frozen=True, slots=True)
class Murmur:
    """Say a backchannel such as "mhm" while the person goes on speaking. No answer; a flush drops it."""

    text: str


@dataclass(frozen=True, slots=True)
class PauseVoice:
    """Stop playing at once and keep what is left; answer VoicePaused."""


@dataclass(frozen=True, slots=True)
class ResumeVoice:
    """Play on where the pause began."""


@dataclass(frozen=True, slots=True)
class FlushVoice:
    """Stop playing at once, drop every utterance that is left, end a pause; answer VoiceFlushed."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Answer TimerFired at `at` (monotonic seconds)."""

    timer: Timer
    at: float


@dataclass(frozen=True, slots=True)
class CancelTimer:
    timer: Timer


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call; answer LegEnded."""

    cause: HangupCause
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class AddTurn:
    """A turn of the transcript is complete."""

    turn: Turn


@dataclass(frozen=True, slots=True)
class Log:
    entry: LogEntry


Action = (
    Transcribe
    | CancelTranscription
    | Overhear
    | StopTones
    | StartReply
    | CancelReply
    | RunTool
    | CancelTool
    | PressKeys
    | Transfer
    | Bridge
    | CancelTransfer
    | Speak
    | Murmur
    | PauseVoice
    | ResumeVoice
    | FlushVoice
    | SetTimer
    | CancelTimer
    | HangUp
    | AddTurn
    | Log
)
