"""The core's requests to providers, each a task that posts how it ended: transcriptions, answers, functions."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from ringback.agents.chat import (
    Ask,
    ChatError,
    ChatFallback,
    ChatModel,
    ChatReasoning,
    ChatText,
    ChatUsage,
    ToolCall,
)
from ringback.agents.plan import Plan
from ringback.agents.tokens import estimated_usage
from ringback.agents.tools import HttpTool, ToolResult, ToolRunner
from ringback.conversation import events
from ringback.conversation.events import Event
from ringback.conversation.meter import Meter
from ringback.conversation.tasks import Tasks
from ringback.conversation.transcript import LogEntry
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import SpeechError, Transcriber

TRANSCRIPTION_TIMEOUT_S: Final = 10.0
REPLY_TIMEOUT_S: Final = 60.0
TOOL_SLACK_S: Final = 5.0
"""The runner keeps a function's own timeout; this much later it is given up all the same."""

_log = logging.getLogger(__name__)

Post = Callable[[Event], None]
Write = Callable[[LogEntry], None]


class Transcriptions:
    def __init__(
        self, transcriber: Transcriber, language: str, tasks: Tasks, post: Post, write: Write, meter: Meter
    ) -> None:
        self._meter = meter
        self._transcriber = transcriber
        self._language = language
        self._tasks = tasks
        self._post = post
        self._write = write

    def start(self, request: int, audio: Samples, rises: Callable[[], bool]) -> None:
        """`rises` is asked when the words are known: see `Transcribed`."""
        message = f"The transcriber {self._transcriber.provider} broke."
        failed = events.TranscriptionFailed(request, message)
        self._tasks.start(
            ("transcribe", request), self._run(request, audio, rises), lambda: self._post(failed)
        )

    def cancel(self, request: int) -> None:
        self._tasks.cancel(("transcribe", request))

    async def _run(self, request: int, audio: Samples, rises: Callable[[], bool]) -> None:
        ears, since = self._transcriber, self._meter.now() - len(audio) / SAMPLE_RATE
        provider = ears.provider
        try:
            async with asyncio.timeout(TRANSCRIPTION_TIMEOUT_S):
                heard = await ears.transcribe(audio, self._language)
        except SpeechError as error:
            self._post(events.TranscriptionFailed(request, str(error)))
        except TimeoutError:
            message = f"The transcriber {provider} gave no answer for {TRANSCRIPTION_TIMEOUT_S:g} s."
            self._post(events.TranscriptionFailed(request, message))
        except Exception as error:
            message = f"The transcriber {provider} failed: {type(error).__name__}."
            self._post(events.TranscriptionFailed(request, message))
        else:
            self._meter.used("transcriber", provider, ears.model, "milliseconds", heard.audio_ms, since)
            self._write(LogEntry("response", "transcriber", heard.text, provider))
            self._post(events.Transcribed(request, heard.text, heard.finality, heard.confidence, rises()))


class Overhearing:
    """What is said while somebody speaks on, to learn who took the call. What fails is not missed."""

    def __init__(
        self, transcriber: Transcriber, language: str, tasks: Tasks, post: Post, meter: Meter
    ) -> None:
        self._transcriber = transcriber
        self._language = language
        self._tasks = tasks
        self._post = post
        self._meter = meter

    def start(self, request: int, audio: Samples) -> None:
        unheard = events.Overheard(request, "")
        self._tasks.start(("overhear", request), self._run(request, audio), lambda: self._post(unheard))

    async def _run(self, request: int, audio: Samples) -> None:
        ears, since, text = self._transcriber, self._meter.now() - len(audio) / SAMPLE_RATE, ""
        try:
            async with asyncio.timeout(TRANSCRIPTION_TIMEOUT_S):
                heard = await ears.transcribe(audio, self._language)
            text = heard.text
            used = partial(self._meter.used, "transcriber", ears.provider, ears.model, purpose="voicemail")
            used("milliseconds", heard.audio_ms, since)
        except Exception as error:
            _log.info("what was overheard is not known: %r", error)
        self._post(events.Overheard(request, text))


class Answers:
    """The language model's. `chat` is None for a plan that never asks."""

    def __init__(self, chat: ChatModel | None, tasks: Tasks, post: Post, write: Write, meter: Meter) -> None:
        self._meter = meter
        self._chat = chat
        self._tasks = tasks
        self._post = post
        self._write = write

    def start(self, reply: int, ask: Ask) -> None:
        failed = events.ReplyFailed(reply, "The language model broke.")
        self._tasks.start(("reply", reply), self._run(reply, ask), lambda: self._post(failed))

    def cancel(self, reply: int) -> None:
        self._tasks.cancel(("reply", reply))

    async def _run(self, reply: int, ask: Ask) -> None:
        if self._chat is None:
            self._post(events.ReplyFailed(reply, "There is no language model to ask."))
            return
        provider = self._chat.provider
        if ask.logged:
            self._write(LogEntry("request", "llm", ask.messages[-1].content, provider))
        try:
            async with asyncio.timeout(REPLY_TIMEOUT_S):
                calls = await self._stream(self._chat, reply, ask)
        except ChatError as error:
            self._post(events.ReplyFailed(reply, str(error)))
        except TimeoutError:
            message = f"The language model {provider} did not finish its reply in {REPLY_TIMEOUT_S:g} s."
            self._post(events.ReplyFailed(reply, message))
        except Exception as error:
            message = f"The language model {provider} failed: {type(error).__name__}."
            self._post(events.ReplyFailed(reply, message))
        else:
            self._post(events.ReplyDone(reply, calls))

    async def _stream(self, chat: ChatModel, reply: int, ask: Ask) -> tuple[ToolCall, ...]:
        said: list[str] = []
        thought: list[str] = []
        calls: list[ToolCall] = []
        who, counted, given_up = (chat.provider, ask.settings.model), False, False
        count = partial(self._count, ask, self._meter.now())
        try:
            async for piece in chat.stream(ask):
                match piece:
                    case ChatText(text):
                        said.append(text)
                        self._post(events.ReplyText(reply, text))
                    case ChatReasoning(text):
                        thought.append(text)
                    case ToolCall():
                        calls.append(piece)
                    case ChatFallback(message):
                        who = piece.provider or who[0], piece.model or who[1]
                        self._write(LogEntry("error", "llm", message, chat.provider))
                    case ChatUsage():
                        counted = True
                        count(who, piece)
        except ChatError:
            counted = counted or not (said or thought)  # who refuses is not paid
            raise
        except asyncio.CancelledError:
            given_up = True
            raise
        finally:
            if not counted:  # broken off, by us or by them: what came so far is paid all the same
                count(who, estimated_usage(ask, *said, *thought, *calls))
            shown = "".join(said) or "".join(f"{call.name}({_json(call.arguments)})" for call in calls)
            if ask.logged and (shown or thought):
                self._write(LogEntry("response", "llm", shown, who[0], reasoning="".join(thought)))
            if ask.logged and given_up:
                self._write(LogEntry("event", "llm", "the answer is not waited for any more", who[0]))
        return tuple(calls)

    def _count(self, ask: Ask, since: float, who: tuple[str, str], usage: ChatUsage) -> None:
        provider, model = usage.provider or who[0], usage.model or who[1]
        used = partial(self._meter.used, "llm", provider, model, since=since, purpose=ask.purpose)
        detail = "estimated" if usage.estimated else ""
        used("input_tokens", usage.input_tokens, detail=detail)
        used("output_tokens", usage.output_tokens, detail=detail)


class Functions:
    """The agent's. Their arguments and the conversation's variables fill the requests."""

    def __init__(self, runner: ToolRunner | None, plan: Plan, tasks: Tasks, post: Post, write: Write) -> None:
        self._runner = runner
        self._plan = plan
        self._tasks = tasks
        self._post = post
        self._write = write

    def start(self, run: int, call: ToolCall, variables: Mapping[str, Any]) -> None:
        failed = events.ToolDone(run, ToolResult(f"The function {call.name} broke.", failed=True))
        self._tasks.start(("tool", run), self._run(run, call, variables), lambda: self._post(failed))

    def cancel(self, run: int) -> None:
        self._tasks.cancel(("tool", run))

    async def _run(self, run: int, call: ToolCall, variables: Mapping[str, Any]) -> None:
        tool = self._plan.tools.get(call.name)
        self._write(LogEntry("request", "tool", _json(call.arguments), tool_name=call.name))
        if self._runner is None or not isinstance(tool, HttpTool):
            result = ToolResult(f"The function {call.name} cannot be called here.", failed=True)
        else:
            try:
                result = await self._result(self._runner, tool, call, variables)
            except asyncio.CancelledError:
                given_up = "the answer is not waited for any more; the request may have been made"
                self._write(LogEntry("event", "tool", given_up, tool_name=call.name))
                raise
        self._write(
            LogEntry("error" if result.failed else "response", "tool", result.content, tool_name=call.name)
        )
        self._post(events.ToolDone(run, result))

    async def _result(
        self, runner: ToolRunner, tool: HttpTool, call: ToolCall, variables: Mapping[str, Any]
    ) -> ToolResult:
        try:
            async with asyncio.timeout(tool.timeout_s + TOOL_SLACK_S):
                return await runner.run(tool, call.arguments, variables)
        except TimeoutError:
            return ToolResult(f"The function {call.name} gave no answer in time.", failed=True)
        except Exception as error:
            return ToolResult(f"The function {call.name} failed: {type(error).__name__}.", failed=True)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
