"""Who or what took the call, on the labelled answers of tests/data/voicemail.

    python -m benchmarks.voicemail [--split held-out|tune|all] [--label L] [--list]

Every answer is played to a conversation (calls.py). The first verdict counts, and its time since the first sound
(where nothing is heard: since the answer); of a person it counts too whether they were hung up on later. A message has
to begin when the beep is over. Ends with one line of JSON, of the held-out part unless told otherwise.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.turns.listening import transcriber
from benchmarks.turns.report import percentile
from benchmarks.voicemail import labels
from benchmarks.voicemail.calls import Screened, screen
from benchmarks.voicemail.render import Rendered, render
from ringback.media.leg import HangupCause
from ringback.speech.vad import SileroVoiceDetector

_LABELS: Final = ("machine", "human", "ivr", "screener", "fax", "silence")
_LATE_S: Final = 1.0
_HUNG_UP: Final = (HangupCause.VOICEMAIL, HangupCause.FAX)


@dataclass(frozen=True, slots=True)
class Outcome:
    rendered: Rendered
    screened: Screened

    @property
    def label(self) -> str:
        return self.rendered.answer.label

    @property
    def first(self) -> str:
        return self.screened.verdicts[0][1] if self.screened.verdicts else "none"

    @property
    def decided_s(self) -> float:
        """Seconds from the first sound, or from the answer where there is none, to the first verdict."""
        return self.screened.verdicts[0][0] - self.rendered.answer.lead_ms / 1000

    @property
    def lost_person(self) -> bool:
        """A person was hung up on."""
        return self.label == "human" and self.screened.hung_up in _HUNG_UP

    @property
    def right(self) -> bool:
        return self.first == self.label and not self.lost_person

    @property
    def right_in_the_end(self) -> bool:
        """By the last verdict: a guess may have been changed, and has no consequences before."""
        return bool(self.screened.verdicts) and self.screened.verdicts[-1][1] == self.label

    @property
    def message(self) -> str:
        """How the message lay to the beep: "after" it, "before" its end, "late", or "none"."""
        at = self.screened.message_s
        if at is None or not self.rendered.beeps:
            return "none"
        end = self.rendered.beeps[-1][1] / 1000
        return "before" if at < end - 0.05 else "late" if at > end + _LATE_S else "after"


def main() -> None:
    options = _options()
    answers = [one for one in labels.answers(options.split) if options.label in ("", one.label)]
    outcomes: list[Outcome] = []
    for outcome in _screened(answers):
        outcomes.append(outcome)
        if options.list or not outcome.right:
            print(_shown(outcome), flush=True)
    print(_table(outcomes))
    print(json.dumps(_figures(outcomes, options.split)))


def _screened(answers: Iterable[labels.Answer]) -> Iterable[Outcome]:
    detector = SileroVoiceDetector()
    with transcriber() as transcribe:
        for answer in answers:
            rendered = render(answer)
            yield Outcome(rendered, screen(rendered, detector, transcribe))


def _shown(outcome: Outcome) -> str:
    answer, screened = outcome.rendered.answer, outcome.screened
    verdicts = "; ".join(f"{at:.1f} s {kind} {sure:.2f} {why!r}" for at, kind, sure, why in screened.verdicts)
    mark = "  " if outcome.right else "X "
    texts = " / ".join(dict.fromkeys(screened.heard[:3]))
    head = f"{mark}{answer.id} ({answer.kind}, {answer.lead_ms} ms): {verdicts}, {outcome.message}"
    return f"{head}\n    {answer.text}\n    {texts}"


def _table(outcomes: Sequence[Outcome]) -> str:
    rows = [f"{'':10}" + "".join(f"{kind:>10}" for kind in (*_LABELS, "none"))]
    for label in _LABELS:
        counts = Counter(one.first for one in outcomes if one.label == label)
        rows.append(f"{label:10}" + "".join(f"{counts[kind]:>10}" for kind in (*_LABELS, "none")))
    return "\n".join(rows)


def _figures(outcomes: Sequence[Outcome], split: str) -> dict[str, Any]:
    figures: dict[str, Any] = {"split": split, "answers": len(outcomes)}
    for label in _LABELS:
        right = [one.right for one in outcomes if one.label == label]
        if right:
            figures[f"{'silences' if label == 'silence' else label + 's'}_right_percent"] = _percent(right)
    for label in ("machine", "human"):
        if ends := [one.right_in_the_end for one in outcomes if one.label == label]:
            figures[f"{label}s_right_in_the_end_percent"] = _percent(ends)
    decided = [one for one in outcomes if one.screened.verdicts]
    times = [one.decided_s for one in decided]
    figures["decision_p50_s"] = round(percentile(times, 0.5), 2)
    figures["decision_p95_s"] = round(percentile(times, 0.95), 2)
    figures["decision_p95_s_after_the_answer"] = round(
        percentile([one.screened.verdicts[0][0] for one in decided], 0.95), 2
    )
    figures["humans_hung_up_on"] = sum(one.lost_person for one in outcomes)
    spoken = [one for one in outcomes if one.label == "machine" and one.rendered.beeps and _has_beep(one)]
    if spoken:
        figures["messages_after_the_beep_percent"] = _percent(
            [one.message in ("after", "late") for one in spoken]
        )
    return figures


def _has_beep(outcome: Outcome) -> bool:
    return outcome.rendered.answer.parts[-1].tone is not None


def _percent(values: Sequence[bool]) -> float:
    return round(100 * sum(values) / len(values), 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voicemail")
    parser.add_argument("--split", choices=("tune", "held-out", "all"), default="held-out")
    parser.add_argument("--label", choices=_LABELS, default="")
    parser.add_argument("--list", action="store_true", help="show all, not only what went wrong")
    return parser.parse_args()


if __name__ == "__main__":
    main()
