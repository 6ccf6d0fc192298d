"""What became of the utterances, as a table by kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.turns.labels import Utterance


@dataclass(frozen=True, slots=True)
class Outcome:
    utterance: Utterance
    gap_ms: int | None
    """From the true end of speech until the agent is heard; negative where it was cut, None for no answer."""
    cut: bool


def percentile(values: Sequence[float], share: float) -> float:
    """Nearest rank; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def gaps(outcomes: Sequence[Outcome]) -> list[int]:
    """Of the turns that were let end and answered."""
    return [outcome.gap_ms for outcome in outcomes if outcome.gap_ms is not None and not outcome.cut]


def cut_percent(outcomes: Sequence[Outcome]) -> float:
    return 100 * sum(outcome.cut for outcome in outcomes) / max(1, len(outcomes))


def cuts(outcomes: Sequence[Outcome]) -> str:
    """A line for each that was cut: how long before its end, and what was said with its pauses."""
    return "\n".join(
        f"  {outcome.utterance.id} was cut {-(outcome.gap_ms or 0)} ms before its end: {marked(outcome.utterance)}"
        for outcome in outcomes
        if outcome.cut
    )


def marked(utterance: Utterance) -> str:
    """What is said, with the milliseconds of the pauses."""
    return " ".join(f"{s.text} [{s.pause_ms}]" if s.pause_ms else s.text for s in utterance.segments)


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a kind, and one for all."""
    kinds = sorted({outcome.utterance.kind for outcome in outcomes})
    lines = [f"{'kind':<18}{'turns':>6}{'cut':>5}{'cut %':>7}{'lost':>6}{'p50 ms':>8}{'p95 ms':>8}{'max':>7}"]
    for kind in kinds:
        lines.append(_line(kind, [one for one in outcomes if one.utterance.kind == kind]))
    return "\n".join([*lines, _line("all", outcomes)])


def _line(name: str, outcomes: Sequence[Outcome]) -> str:
    let = gaps(outcomes)
    cut = sum(outcome.cut for outcome in outcomes)
    lost = sum(outcome.gap_ms is None for outcome in outcomes)
    figures = (percentile(let, 0.5), percentile(let, 0.95), max(let, default=float("nan")))
    return f"{name:<18}{len(outcomes):>6}{cut:>5}{cut_percent(outcomes):>7.1f}{lost:>6}" + "".join(
        f"{figure:>{width}.0f}" for figure, width in zip(figures, (8, 8, 7), strict=True)
    )


def parts_table(parts: Sequence[Mapping[str, int | None]]) -> str:
    """Where the platform itself says that the time went, from the end of speech as its detector sees it."""
    lines = [f"{'as the platform sees it':<24}{'p50 ms':>8}{'p95 ms':>8}"]
    for name in ("endpointing", "transcription", "first_audio", "overhead", "total"):
        values = [value for turn in parts if (value := turn.get(name)) is not None]
        lines.append(f"{'  ' + name:<24}{percentile(values, 0.5):>8.0f}{percentile(values, 0.95):>8.0f}")
    return "\n".join(lines)
