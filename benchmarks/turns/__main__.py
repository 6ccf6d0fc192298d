"""Whether the agent is a good listener, in real calls on the fully local stack.

    python -m benchmarks.turns [--split tune|held-out|all] [--calls 1,6,12] [--limit N] [--part turns,barge-in]

People in a process of their own say the labelled utterances of tests/data/turns over SIP and RTP to `ringback serve`
with its worker and speech processes. All times are from the person's own recording: both channels as they left and
reached it, so that both jitter buffers are in them.

turns: from the true end of speech until the agent is heard, at so many calls at a time; a turn is cut when the agent
was heard before. barge-in: from the onset of an interruption to the agent's silence; whether backchannels left the
agent's sentence whole; and the transcript's claim of what was heard (heard.py). Ends with one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.turns import agent, labels, report
from benchmarks.turns.barge_in import heard_errors, remarks
from benchmarks.turns.calls import Call, CallFailed, Script, place
from benchmarks.turns.labels import Utterance
from benchmarks.turns.monologues import MONOLOGUES
from benchmarks.turns.render import render
from benchmarks.turns.report import Outcome, percentile
from benchmarks.turns.voices import CACHE, VoiceMissing
from benchmarks.turns.wire import Wire
from ringback.demo.run import DemoFailed
from ringback.speech.weights import WHISPER_BASE, whisper_directory

_TURNS_A_CALL: Final = 14
_ALONE: Final = 80
"""Turns of the run with one call, which would take an hour with all."""
_BARGE_IN_CALLS: Final = 6
_PARTS: Final = ("turns", "barge-in")
_NEVER_MS: Final = 9999


def main() -> None:
    options = _options()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, split {options.split}")
    figures: dict[str, Any] = {"split": options.split, "cores": os.cpu_count()}
    try:
        if "turns" in options.part:
            figures |= _turns(options)
        if "barge-in" in options.part:
            figures |= _barge_in(options)
    except (CallFailed, DemoFailed, VoiceMissing) as failure:
        sys.exit(f"bench-turns: {failure}")
    print(json.dumps(figures))


def _turns(options: argparse.Namespace) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    everything: list[Outcome] = []
    for at_a_time in options.calls:
        chosen = _some(
            labels.utterances(options.split), options.limit or (_ALONE if at_a_time == 1 else None)
        )
        load = os.getloadavg()[0]
        calls = _run(_turn_scripts(chosen), at_a_time)
        outcomes = _outcomes(calls)
        everything += outcomes
        name = f"{at_a_time}_call" + ("s" if at_a_time > 1 else "")
        print(f"\n{name.replace('_', ' ')} at a time, load before {load:.2f}, after {os.getloadavg()[0]:.2f}")
        print(report.cuts(outcomes))
        print(report.table(outcomes))
        print(report.parts_table([part for call in calls for part in call.parts]))
        gaps = report.gaps(outcomes)
        figures[f"turn_p50_s_{name}"] = round(percentile(gaps, 0.5) / 1000, 3)
        figures[f"turn_p95_s_{name}"] = round(percentile(gaps, 0.95) / 1000, 3)
        figures[f"turns_cut_percent_{name}"] = round(report.cut_percent(outcomes), 1)
        figures[f"turns_lost_{name}"] = sum(outcome.gap_ms is None for outcome in outcomes)
        figures[f"turns_{name}"] = len(outcomes)
    for split in ("tune", "held-out"):
        part = [outcome for outcome in everything if outcome.utterance.split == split]
        if part:
            figures[f"turns_cut_percent_{split.replace('-', '_')}"] = round(report.cut_percent(part), 1)
    figures["turns_cut_percent"] = round(report.cut_percent(everything), 1)
    return figures


def _turn_scripts(utterances: Sequence[Utterance]) -> list[Script]:
    """Calls of utterances that the same agent can ask for."""
    contexts: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        contexts[agent.context(utterance)].append(utterance)
    scripts: list[Script] = []
    for context in contexts.values():
        random.Random(len(context)).shuffle(context)
        for start in range(0, len(context), _TURNS_A_CALL):
            said = context[start : start + _TURNS_A_CALL]
            ids = tuple(utterance.id for utterance in said)
            scripts.append(Script("turns", agent.asking(said), ids, len(scripts)))
    # The longest first, so that there are so many calls at a time until near the end.
    return sorted(scripts, key=lambda script: -len(script.ids))


def _outcomes(calls: Sequence[Call]) -> list[Outcome]:
    known = {utterance.id: utterance for utterance in labels.utterances()}
    outcomes: list[Outcome] = []
    collided = 0
    for call in calls:
        wire = Wire(call.recording)
        for said in call.said:
            outcome = wire.outcome(known[said.id], said)
            if outcome is None:
                collided += 1
            else:
                outcomes.append(outcome)
    if collided:
        print(f"{collided} turns are not counted: the agent was still speaking when they began")
    return outcomes


def _barge_in(options: argparse.Namespace) -> dict[str, Any]:
    interruptions = _remark_scripts(
        "interruptions", _some(labels.interruptions(options.split), options.limit)
    )
    backchannels = _remark_scripts("backchannels", _some(labels.backchannels(options.split), options.limit))
    load = os.getloadavg()[0]
    calls = _run([*interruptions, *backchannels], _BARGE_IN_CALLS)
    print(
        f"\nbarge-in, {_BARGE_IN_CALLS} calls at a time, load before {load:.2f}, after {os.getloadavg()[0]:.2f}"
    )
    stopped, talked = calls[: len(interruptions)], calls[len(interruptions) :]
    return _interruption_figures(stopped) | _backchannel_figures(talked)


def _remark_scripts(part: str, said: Sequence[Utterance]) -> list[Script]:
    definition = agent.telling(MONOLOGUES)
    ids = [utterance.id for utterance in said]
    random.Random(part).shuffle(ids)
    return [
        Script(part, definition, tuple(ids[start : start + _TURNS_A_CALL]), start)
        for start in range(0, len(ids), _TURNS_A_CALL)
    ]


def _interruption_figures(calls: Sequence[Call]) -> dict[str, Any]:
    seen = [remark for call in calls for remark in remarks(call)]
    pauses = [_NEVER_MS if remark.pause_ms is None else remark.pause_ms for remark in seen]
    heard = list(heard_errors(calls, whisper_directory(WHISPER_BASE, CACHE)))
    for error in sorted(heard, key=lambda one: -one.error)[:8]:
        if error.error:
            print(
                f"  {error.id}: claimed {error.claimed}, heard {error.heard}, transcribed {error.transcribed}"
            )
            print(
                f"    claim         ...{error.claim[-70:]!r}\n    transcription ...{error.transcription[-70:]!r}"
            )
    for remark in seen:
        if remark.pause_ms is None or remark.cut is None:
            print(f"  {remark.said.id}: pause {remark.pause_ms} ms, cut {remark.cut is not None}")
    errors = [error.error for error in heard]
    return {
        "interruptions": len(seen),
        "interruptions_obeyed_percent": round(
            100 * sum(r.cut is not None for r in seen) / max(1, len(seen)), 1
        ),
        "barge_in_p50_ms": percentile(pauses, 0.5),
        "barge_in_p95_ms": percentile(pauses, 0.95),
        "heard_turns": len(errors),
        "heard_error_max_words": max(errors, default=None),
        "heard_error_by_transcription_max_words": max(
            (one.error_by_transcription for one in heard), default=None
        ),
        "heard_error_over_one_percent": round(
            100 * sum(error > 1 for error in errors) / max(1, len(errors)), 1
        ),
    }


def _backchannel_figures(calls: Sequence[Call]) -> dict[str, Any]:
    seen = [remark for call in calls for remark in remarks(call)]
    texts = {utterance.id: utterance.text for utterance in labels.backchannels()}
    for remark in seen:
        if remark.cut is not None:
            print(f"  {remark.said.id} cut the agent: {texts[remark.said.id]!r}")
    kept = sum(remark.cut is None for remark in seen)
    return {
        "backchannels": len(seen),
        "backchannels_kept_percent": round(100 * kept / max(1, len(seen)), 1),
    }


def _run(scripts: list[Script], at_a_time: int) -> list[Call]:
    folder = Path(tempfile.mkdtemp(prefix="ringback-bench-"))
    print(f"{len(scripts)} calls, {at_a_time} at a time; recordings in {folder}", flush=True)
    return asyncio.run(place(scripts, at_a_time, folder))


def _some(utterances: list[Utterance], limit: int | None) -> list[Utterance]:
    """So many of them, of all kinds; rendered, so that nothing is synthesized while it is measured."""
    step = 1.0 if limit is None else max(1.0, len(utterances) / limit)
    chosen = [utterances[int(n * step)] for n in range(int(len(utterances) / step))]
    for utterance in chosen:
        render(utterance)
    return chosen


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns")
    parser.add_argument("--split", choices=("tune", "held-out", "all"), default="all")
    parser.add_argument("--calls", type=lambda text: [int(n) for n in text.split(",")], default=[1, 6, 12])
    parser.add_argument("--limit", type=int, help="so many utterances of each sort, of all kinds")
    parser.add_argument("--part", type=lambda text: text.split(","), default=list(_PARTS))
    options = parser.parse_args()
    if unknown := set(options.part) - set(_PARTS):
        parser.error(f"--part: {', '.join(unknown)}: there are {', '.join(_PARTS)}")
    return options


if __name__ == "__main__":
    main()
