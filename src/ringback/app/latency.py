"""Where the time of a call went, as the record and the log show it (contract 4.2, `latency_data`). In milliseconds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from ringback.conversation.transcript import Turn, TurnTiming

SYSTEM: Final = -1
"""`turn` of what the agent says without having been spoken to, such as the welcome."""


def latency_data(stream_id: str, turns: Sequence[Turn], first_audio_ms: int | None) -> dict[str, Any] | None:
    """Of the turns of one call in the order of their beginnings; None where the agent was never heard.

    `first_audio_ms`: from the order to say the agent's first words to their first synthesized audio, where that is
    known. Turns are counted from 1, those of the agent that answered the person.
    """
    first = next((turn for turn in turns if turn.role == "assistant"), None)
    if first is None:
        return None
    timings = [turn.timing for turn in turns if turn.timing is not None]
    totals = [timing.total_ms for timing in timings]
    return {
        "stream_id": stream_id,
        "time_to_first_audio": first.start_ms,
        "region": None,
        "transcriber": {"time_to_connect": None, "turns": list(_transcriptions(timings))},
        "llm": {"time_to_connect": None, "turns": list(_replies(timings))},
        "synthesizer": {
            "time_to_connect": None,
            "turns": [*_welcome(first, first_audio_ms), *_spoken(timings)],
        },
        "rag": None,
        "turns": [{"turn": number, **parts(timing)} for number, timing in enumerate(timings, 1)],
        "summary": {
            "turns": len(totals),
            "total_p50": percentile(totals, 50),
            "total_p95": percentile(totals, 95),
        },
    }


def parts(timing: TurnTiming) -> dict[str, int | None]:
    """Where the time of one answer went, by the name of the part; None where it did not take place."""
    return {
        "endpointing": timing.endpointing_ms,
        "transcription": timing.transcriptions[-1][0] if timing.transcriptions else None,
        "first_token": timing.first_token_ms,
        "first_audio": timing.first_audio_ms,
        "tools": timing.tools_ms,
        "overhead": timing.overhead_ms,
        "total": timing.total_ms,
    }


def percentile(values: Sequence[int], percent: int) -> int | None:
    """The least of the values that so many percent of them don't exceed (nearest rank); None without any."""
    if not values:
        return None
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def _transcriptions(timings: Sequence[TurnTiming]) -> Iterator[dict[str, Any]]:
    for number, timing in enumerate(timings, 1):
        heard = [
            {"sequence_id": sequence, "audio_to_text_latency": ms, "text": text}
            for sequence, (ms, text) in enumerate(timing.transcriptions, 1)
        ]
        if heard:
            yield {"turn": number, "turn_latency": heard}


def _replies(timings: Sequence[TurnTiming]) -> Iterator[dict[str, Any]]:
    for number, timing in enumerate(timings, 1):
        if timing.first_token_ms is not None:
            yield {
                "turn": number,
                "time_to_first_token": timing.first_token_ms,
                "time_to_last_token": timing.last_token_ms,
            }


def _welcome(first: Turn, first_audio_ms: int | None) -> Iterator[dict[str, Any]]:
    if first.timing is None:
        yield from _synthesized(SYSTEM, first_audio_ms)


def _spoken(timings: Sequence[TurnTiming]) -> Iterator[dict[str, Any]]:
    for number, timing in enumerate(timings, 1):
        yield from _synthesized(number, timing.first_audio_ms)


def _synthesized(turn: int, first_audio_ms: int | None) -> Iterator[dict[str, Any]]:
    """The vendor calls the first piece of audio a token."""
    if first_audio_ms is not None:
        yield {"turn": turn, "time_to_first_token": first_audio_ms, "time_to_last_token": None}
