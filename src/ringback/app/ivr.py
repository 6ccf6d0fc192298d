"""The menus of a number on an answered call: their voice, their part of the recording, the transcript and the bill."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from ringback.agents.ivr_config import IvrConfig
from ringback.agents.plan import SpeechPart
from ringback.app.journal import Journal
from ringback.app.providers import UnknownVoice
from ringback.app.talker import Studio, journal_of, lines_of, recorder_of, variables_of
from ringback.app.telemetry.measured import MeasuredSynthesizer
from ringback.billing.book import PriceBook
from ringback.calls.call import LiveCall
from ringback.calls.prelude import Prelude
from ringback.conversation.ivr_call import IvrCall, IvrResult
from ringback.conversation.transcript import LogEntry, Turn
from ringback.executions.record import UsageLine
from ringback.media.recorder import Recorder, RecordingError
from ringback.media.speech import Synthesizer, Voice
from ringback.store.database import StoreError

logger = logging.getLogger(__name__)

_HOSTED: Final = "Polly."
"""Voices of the hosted service, which numbers are moved here with; ours speaks instead."""


async def menus(studio: Studio, call: LiveCall, config: IvrConfig) -> Prelude:
    """Play them, after what came before, until an agent is chosen or the call has ended.

    Implements `calls.ivr.Menus` for a worker's studio.
    """
    before, journal = call.prelude, journal_of(studio, call)
    recorder = before.recorder if before else recorder_of(studio, call)
    mouth, voice = _voice(studio, config, journal)
    if before is not None:
        before.leave()
    began_ms = recorder.duration_ms
    observer = _Follower(journal, studio, call, began_ms)
    played = IvrCall(
        call.leg,
        config,
        variables_of(call),
        ticker=studio.ticker,
        recorder=recorder,
        synthesizer=MeasuredSynthesizer(mouth, studio.telemetry),
        voice=voice,
        clock=studio.clock,
        observer=observer,
    )
    writing = asyncio.create_task(journal.write())
    try:
        result = await played.run()
        journal.stop()
        await writing
    finally:
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
    await journal.finish()
    if result.ended is not None:
        await _close(recorder)
    return Prelude(
        agent_id=result.agent_id,
        recipient_data=_data(result, studio),
        ended=result.ended,
        recorder=recorder,
        usage=[*(before.usage if before else ()), *await _rated(studio, call, result, began_ms)],
        turns=(before.turns if before else 0) + observer.turns,
        leave=played.leave,
    )


def _voice(studio: Studio, config: IvrConfig, journal: Journal) -> tuple[Synthesizer, Voice]:
    """The installation's own synthesizer; another voice than the wanted one is better than none."""
    name = "" if config.voice.startswith(_HOSTED) else config.voice
    part = SpeechPart("local", language=config.language, voice=name)
    try:
        return studio.providers.synthesizer(part), Voice(name, config.language)
    except UnknownVoice as unknown:
        journal.log(LogEntry("error", "synthesizer", str(unknown)))
        return studio.providers.synthesizer(SpeechPart("local")), Voice("", config.language)


def _data(result: IvrResult, studio: Studio) -> dict[str, Any]:
    if not result.completed:
        return dict(result.data)
    now = datetime.fromtimestamp(studio.clock.now_us() / 1e6, UTC)
    return {**result.data, "ivr_completed_at": f"{now:%Y-%m-%dT%H:%M:%SZ}"}


async def _rated(studio: Studio, call: LiveCall, result: IvrResult, began_ms: int) -> list[UsageLine]:
    first = call.prelude.turns if call.prelude else 0
    book = await _book(studio, call)
    lines = lines_of(result.usage, call.answered_us + began_ms * 1000, first)
    return [book.rated(line) for line in lines]


async def _book(studio: Studio, call: LiveCall) -> PriceBook:
    try:
        return await studio.prices.book(call.execution.account_id)
    except StoreError as error:
        logger.error("the menus of call %s have no price: %s", call.execution.id, error)
        return PriceBook(())


async def _close(recorder: Recorder) -> None:
    try:
        await recorder.close()
    except RecordingError as failure:
        logger.error("%s", failure)


class _Follower:
    """Implements `Observer`."""

    def __init__(self, journal: Journal, studio: Studio, call: LiveCall, since_ms: int) -> None:
        """`since_ms`: how long after the answer these menus began, from which the turns count."""
        self._since_ms = since_ms
        self._journal = journal
        self._studio = studio
        self._call = call
        self.turns = 0

    def log(self, entry: LogEntry) -> None:
        self._journal.log(entry)

    def turn(self, turn: Turn) -> None:
        self.turns += 1
        since = self._since_ms
        turn = replace(turn, start_ms=turn.start_ms + since, end_ms=turn.end_ms + since)
        self._journal.turn(turn)
        self._studio.telemetry.turn(self._call.execution.id, self._call.answered_us, turn)
