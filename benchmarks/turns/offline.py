"""Endpointing rules scored in seconds, without calls.

    python -m benchmarks.turns.offline [--split tune] [--rule module:function] [--kind K] [--list] [--dump F]

Every labelled utterance was rendered, listened to and transcribed at each pause (listening.py; cached). A rule,
`wait_s(text, expectation, talk, spoken_s, finality, confidence) -> seconds`, says how much silence it takes after
`text`; the default is the conversation's own. An utterance counts as cut when the agent would have been heard before
its true end. How long transcribing and speaking take is assumed (`TRANSCRIBE`, `SPEAK_MS`), for it depends on the
load of the machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.turns import labels, report
from benchmarks.turns.agent import dialogue_for, plan_for
from benchmarks.turns.listening import Listened, Stop, listen
from benchmarks.turns.report import Outcome
from ringback.agents.plan import TalkSettings
from ringback.conversation.core.timing import DOUBT_S, MAX_DOUBT_S
from ringback.conversation.dialogue.dialogue import Dialogue, Expectation

TRANSCRIBE: Final = (110, 22)
"""Milliseconds of a transcription, and for each second of audio."""
SPEAK_MS: Final = 78
"""From the end of the wait until the agent is heard: synthesis, a tick, the person's jitter buffer."""
IN_FLIGHT_MS: Final = 48
"""Of it, after the first frame has left and can no more be taken back."""

Rule = Callable[[str, Expectation, TalkSettings, float, float | None, float | None], float]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a rule did with one utterance."""

    outcome: Outcome
    at: Stop | None
    """The pause in which it answered."""
    expectation: Expectation | None


def decide(listened: Listened, rule: Rule) -> Decision:
    """The first pause that lasts longer than the rule waits is where the agent answers."""
    plan = plan_for(listened.utterance)
    dialogue = dialogue_for(plan)
    for stop in listened.stops:
        expectation = dialogue.judge(stop.text)
        spoken_s = stop.at_ms / 1000
        wait_s = rule(stop.text, expectation, plan.talk, spoken_s, stop.finality, stop.confidence)
        heard_ms = _heard_ms(stop, wait_s)
        if not stop.text or (stop.resumed_ms is not None and stop.resumed_ms <= heard_ms - IN_FLIGHT_MS):
            continue
        outcome = Outcome(listened.utterance, heard_ms - listened.end_ms, heard_ms < listened.end_ms)
        return Decision(outcome, stop, expectation)
    return Decision(Outcome(listened.utterance, None, False), None, None)


def _heard_ms(stop: Stop, wait_s: float) -> int:
    audio_s = stop.known_ms / 1000
    words_ms = stop.known_ms + TRANSCRIBE[0] + round(TRANSCRIBE[1] * audio_s)
    sent_ms = max(stop.at_ms + round(1000 * wait_s), words_ms) + SPEAK_MS - IN_FLIGHT_MS
    first = next(iter(stop.sounds_ms), 0)
    for ms in stop.sounds_ms:
        if ms > sent_ms:
            break
        doubted_ms = min(ms + round(1000 * DOUBT_S), first + round(1000 * MAX_DOUBT_S))
        sent_ms = max(sent_ms, doubted_ms)
    return sent_ms + IN_FLIGHT_MS


def _shown(listened: Listened, decision: Decision, dialogue: Dialogue) -> str:
    utterance, outcome = listened.utterance, decision.outcome
    said = report.marked(utterance)
    verdict = "CUT" if outcome.cut else "LOST" if outcome.gap_ms is None else f"{outcome.gap_ms} ms"
    lines = [f"{utterance.id}  {verdict}  {json.dumps(utterance.expects)}  {said}"]
    for stop in listened.stops:
        until = "end" if stop.resumed_ms is None else f"{stop.resumed_ms - stop.at_ms} ms"
        mark = "->" if stop is decision.at else "  "
        lines.append(
            f"  {mark} {stop.at_ms} ms + {until}: {stop.text!r} {dialogue.judge(stop.text).name} {stop.finality}"
        )
    return "\n".join(lines)


def main() -> None:
    options = _options()
    utterances = [u for u in labels.utterances(options.split) if options.kind in ("", u.kind)]
    heard = listen(utterances)
    if options.dump is not None:
        options.dump.write_text("[\n" + ",\n".join(json.dumps(asdict(one)) for one in heard) + "\n]\n")
    module, _, name = options.rule.partition(":")
    rule: Rule = getattr(importlib.import_module(module), name)
    decisions = [decide(one, rule) for one in heard]
    if options.list:
        for one, decision in zip(heard, decisions, strict=True):
            if decision.outcome.cut or decision.outcome.gap_ms is None or options.kind:
                print(_shown(one, decision, dialogue_for(plan_for(one.utterance))))
    print(report.table([decision.outcome for decision in decisions]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns.offline")
    parser.add_argument("--split", choices=("tune", "held-out", "all"), default="tune")
    parser.add_argument("--rule", default="ringback.conversation.core.endpointing:wait_s")
    parser.add_argument(
        "--kind", default="", help="only utterances of this kind, and all of them with --list"
    )
    parser.add_argument("--list", action="store_true", help="show the pauses of what was cut or lost")
    parser.add_argument("--dump", type=Path, help="write the table of pauses as JSON to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
