"""An agent made ready for one call: the plan, its providers, the recording; and the talk itself."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from ringback.aftercall.recording import recording_path
from ringback.agents import prompts
from ringback.agents.chat import ChatModel
from ringback.agents.compile import CannotCompile, compile_plan
from ringback.agents.plan import Plan
from ringback.agents.registry import Agents, UnknownAgent
from ringback.app.journal import Journal
from ringback.app.latency import latency_data
from ringback.app.providers import Providers, UnknownProvider, UnknownVoice
from ringback.app.telemetry.measured import MeasuredChat, MeasuredSynthesizer, MeasuredTranscriber
from ringback.app.telemetry.telemetry import Telemetry
from ringback.billing.book import PriceBook
from ringback.billing.prices import Prices
from ringback.calls.call import CallRefused, LiveCall, Talk
from ringback.calls.switchboard import CallSwitchboard, Exchange
from ringback.clock import Clock
from ringback.conversation.conversation import Conversation, dialogue_of
from ringback.conversation.dialogue.dialogue import DialogueError
from ringback.conversation.result import ConversationResult, Usage
from ringback.conversation.screening.verdict import Kind
from ringback.conversation.transcript import LogEntry, Turn
from ringback.dialing.call_events import EventDelivery, Receive
from ringback.executions.ledger import Ledger
from ringback.executions.record import Execution, UsageKind, UsageLine, UsageUnit
from ringback.media import ambience
from ringback.media.ambience import Ambience, AmbienceError
from ringback.media.frame import Samples
from ringback.media.leg import Carrier, Ended, EndedBy
from ringback.media.recorder import Recorder, RecordingError
from ringback.media.speech import Synthesizer, Transcriber, VoiceDetector
from ringback.media.ticker import Ticker
from ringback.store.database import StoreError

logger = logging.getLogger(__name__)

_UNITS: Final[Mapping[str, UsageUnit]] = {
    "milliseconds": "ms",
    "characters": "characters",
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
}
_PROVIDERS: Final = ("llm", "transcriber", "synthesizer")
"""Components whose failure is a `hangup_reason` of its own: `llm_error`."""


@dataclass(frozen=True, slots=True)
class Studio:
    """What all calls of a worker share."""

    agents: Agents
    ledger: Ledger
    providers: Providers
    ticker: Ticker
    detector: VoiceDetector
    clock: Clock
    prices: Prices
    recordings: Path
    ambient: Path
    """Folder of the operator's own background sounds."""
    events: EventDelivery
    telemetry: Telemetry
    worker: str
    """Owner of the leases of its calls."""
    carrier: Carrier | None = None
    """Dials the second legs of transfers; None: there are none."""

    async def prepare(self, execution: Execution) -> AgentTalker:
        """Make the agent of an execution ready. Raises CallRefused with the reason."""
        try:
            agent = await self.agents.get(execution.account_id, execution.agent_id)
            plan = compile_plan(agent.id, agent.definition, voice_id=execution.agent_data.get("voice_id"))
            if execution.call_type == "inbound":  # who calls is no answering machine
                plan = replace(plan, talk=replace(plan.talk, voicemail=None))
            # Once before the call, only to see that it can be had: nobody is dialled by an agent that cannot talk.
            dialogue_of(plan, execution.recipient_data, _today(execution, self.clock.now_us()))
            track = plan.talk.ambient_noise_track
            return AgentTalker(
                self,
                plan,
                self.providers.transcriber(plan.transcriber),
                self.providers.synthesizer(plan.synthesizer),
                self.providers.chat(plan.dialogue),
                await asyncio.to_thread(ambience.load, track, self.ambient) if track else None,
                await self.prices.book(execution.account_id),
            )
        except UnknownAgent:
            raise CallRefused("The agent of this call does not exist any more") from None
        except (CannotCompile, UnknownProvider, UnknownVoice, DialogueError, AmbienceError) as error:
            raise CallRefused(str(error)) from None

    def switchboard(self, call: LiveCall) -> CallSwitchboard | None:
        if self.carrier is None:
            return None
        exchange = Exchange(self.ledger, self.carrier, self.clock, self.recordings, self.worker)
        return CallSwitchboard(exchange, call)


class AgentTalker:
    """Implements `calls.call.Talker`."""

    def __init__(
        self,
        studio: Studio,
        plan: Plan,
        transcriber: Transcriber,
        synthesizer: Synthesizer,
        chat: ChatModel | None,
        background: Samples | None,
        book: PriceBook,
    ) -> None:
        self._studio = studio
        self._plan = plan
        self._transcriber = transcriber
        self._synthesizer = synthesizer
        self._chat = chat
        self._background = background
        self._book = book

    async def talk(self, call: LiveCall) -> Talk:
        studio, execution = self._studio, call.execution
        prelude = call.prelude
        before, first = (prelude.usage, prelude.turns) if prelude else ((), 0)
        recorder = prelude.recorder if prelude else recorder_of(studio, call)
        began_us = call.answered_us + recorder.duration_ms * 1000

        def metered() -> list[UsageLine]:
            return [*before, *lines_of(conversation.usage(), began_us, first)]

        journal = journal_of(studio, call, metered)
        synthesizer = MeasuredSynthesizer(self._synthesizer, studio.telemetry)
        conversation = Conversation(
            call.leg,
            self._plan,
            variables_of(call),
            ticker=studio.ticker,
            detector=studio.detector,
            recorder=recorder,
            transcriber=MeasuredTranscriber(self._transcriber, studio.telemetry),
            synthesizer=synthesizer,
            chat=MeasuredChat(self._chat, studio.telemetry) if self._chat else None,
            clock=studio.clock,
            observer=_Follower(journal, studio.telemetry, call, recorder.duration_ms),
            today=_today(execution, call.answered_us),
            tools=studio.providers.tools,
            ambience=Ambience(self._background, execution.id) if self._background is not None else None,
            switchboard=studio.switchboard(call),
        )
        if (trace := studio.telemetry.trace_id(execution.id)) is not None:
            journal.log(LogEntry("event", "system", f"trace {trace}"))
        writing = asyncio.create_task(journal.write())
        receive = receiver(conversation, journal)
        if prelude is not None:
            prelude.leave()
        try:
            with studio.telemetry.talking(), studio.events.to(execution.account_id, execution.id, receive):
                result = await conversation.run()
            journal.stop()
            await writing
        finally:
            writing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writing
        await journal.finish()
        try:
            await recorder.close()
            error = result.failure.message if result.failure else None
        except RecordingError as failure:
            error = str(failure)
        latency = latency_data(call.leg.call_id, result.turns, synthesizer.first_audio_ms)
        usage = await self._rated(call, [*before, *lines_of(result.usage, began_us, first)])
        return self._outcome(result, recorder.duration_ms, error, latency, usage)

    async def _rated(self, call: LiveCall, lines: Sequence[UsageLine]) -> list[UsageLine]:
        """Each line at the price of its moment: prices may have changed during the call."""
        try:
            book = await self._studio.prices.book(call.execution.account_id)
        except StoreError as error:
            logger.error("call %s is rated by the prices of its beginning: %s", call.execution.id, error)
            book = self._book
        return [book.rated(line) for line in lines]

    def _outcome(
        self,
        result: ConversationResult,
        duration_ms: int,
        error: str | None,
        latency: Mapping[str, Any] | None,
        usage: Sequence[UsageLine],
    ) -> Talk:
        return Talk(
            ended=_ended(result),
            conversation_ms=duration_ms,
            extracted=dict(result.slots) or None,
            context=dict(result.context) or None,
            latency=latency,
            error=error,
            voicemail=result.answered_by is not None and result.answered_by.kind is Kind.MACHINE,
            usage=usage,
        )


class _Follower:
    """Implements `Observer`: what happens in a call goes to its journal and to whoever watches the process."""

    def __init__(self, journal: Journal, telemetry: Telemetry, call: LiveCall, since_ms: int = 0) -> None:
        """`since_ms`: how long after the answer the conversation began, from which the turns count."""
        self._journal = journal
        self._telemetry = telemetry
        self._call = call
        self._since_ms = since_ms

    def log(self, entry: LogEntry) -> None:
        self._journal.log(entry)

    def turn(self, turn: Turn) -> None:
        if self._since_ms:
            since = self._since_ms
            turn = replace(turn, start_ms=turn.start_ms + since, end_ms=turn.end_ms + since)
        self._journal.turn(turn)
        self._telemetry.turn(self._call.execution.id, self._call.answered_us, turn)


def recorder_of(studio: Studio, call: LiveCall) -> Recorder:
    execution = call.execution
    return Recorder(recording_path(studio.recordings, execution.account_id, execution.id, call.number))


def journal_of(studio: Studio, call: LiveCall, metered: Callable[[], Sequence[UsageLine]] = tuple) -> Journal:
    return Journal(
        studio.ledger,
        studio.clock,
        call.execution.account_id,
        call.execution.id,
        number=call.number,
        lease_owner=studio.worker,
        first=call.prelude.turns if call.prelude else 0,
        metered=metered,
    )


def variables_of(call: LiveCall) -> Mapping[str, Any]:
    execution = call.execution
    return prompts.variables(
        execution.recipient_data,
        agent_id=execution.agent_id,
        execution_id=execution.id,
        call_sid=call.leg.call_id,
        from_number=execution.from_number,
        to_number=execution.to_number,
        now_us=call.answered_us,
    )


def lines_of(usage: Sequence[Usage], began_us: int, first: int = 0) -> list[UsageLine]:
    """Lines that count their milliseconds from `began_us` and their turns from `first`; not rated yet."""
    return [
        UsageLine(
            UsageKind(used.component),
            used.provider,
            used.model,
            _UNITS[used.unit],
            used.quantity,
            detail=used.detail,
            turn=None if used.turn is None else first + used.turn,
            at_us=began_us + used.at_ms * 1000,
            purpose=used.purpose,
        )
        for used in usage
    ]


class Injectable(Protocol):
    def inject(self, name: str, properties: Mapping[str, Any]) -> None: ...


def receiver(conversation: Injectable, journal: Journal) -> Receive:
    def receive(name: str, properties: Mapping[str, Any]) -> None:
        journal.log(LogEntry("event", "system", f"event received: {name}"))
        conversation.inject(name, properties)

    return receive


def _ended(result: ConversationResult) -> Ended:
    """In a record the telephony is not blamed for what a provider did (contract 5)."""
    failure, ended = result.failure, result.ended
    if failure is None or ended.by is not EndedBy.ERROR or failure.component not in _PROVIDERS:
        return ended
    return replace(ended, reason=f"{failure.component}_error")


def _today(execution: Execution, at_us: int) -> date:
    """The person's date where the call names their time zone, otherwise UTC's."""
    return datetime.fromtimestamp(at_us / 1e6, prompts.zone_of(execution.recipient_data)).date()
