"""Barge-in rules scored in seconds, without calls.

    python -m benchmarks.turns.remarks [--split tune] [--rule module:function] [--list]

Backchannels and interruptions were rendered and transcribed at the moments when the conversation looks at the words of
somebody who speaks over the agent (listening.py; cached). A rule,
`interrupts(text, words_needed, language, spoken_s, confidence)`, says whether they mean to; the default is the
conversation's own. That the agent is about to end is not considered.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable

from benchmarks.turns import labels
from benchmarks.turns.listening import Glance, Glanced, glance
from ringback.agents.plan import TalkSettings
from ringback.conversation.core.utterance import UNCERTAIN_S
from ringback.media.activity import ActivitySettings

HANGOVER_S = ActivitySettings().hangover_ms / 1000

Rule = Callable[[str, int, str, float, float | None], bool]


def interrupting(glanced: Glanced, rule: Rule) -> Glance | None:
    """The look at which the rule finds an interruption."""
    needed = TalkSettings().number_of_words_for_interruption
    for one in glanced.glances:
        if one.text and rule(one.text, needed, "en", _spoken_s(one), one.confidence):
            return one
    return None


def _spoken_s(glance: Glance) -> float:
    """As the conversation counts it: what the detector needs to be sure of the end is not speech."""
    return glance.after_ms / 1000 - (HANGOVER_S if glance.stopped else UNCERTAIN_S)


def main() -> None:
    options = _options()
    module, _, name = options.rule.partition(":")
    rule: Rule = getattr(importlib.import_module(module), name)
    sorts = {"backchannel": (labels.backchannels, False), "interruption": (labels.interruptions, True)}
    for sort, (read, wanted) in sorts.items():
        glanced = glance(read(options.split))
        found = [interrupting(one, rule) for one in glanced]
        wrong = [one for one, at in zip(glanced, found, strict=True) if (at is not None) is not wanted]
        for one in glanced if options.list else wrong:
            seen = "  ".join(map(_shown, one.glances))
            mark = "WRONG" if one in wrong else "     "
            print(f"{mark} {one.utterance.id} {one.utterance.text!r} ({one.utterance.manner.noise}): {seen}")
        right = len(glanced) - len(wrong)
        print(f"{sort}s: {right} of {len(glanced)} as they should be ({100 * right / len(glanced):.1f} %)")
        if wanted and (after := [at.after_ms for at in found if at is not None]):
            print(f"    known {sum(after) / len(after):.0f} ms after the onset on average")
        print()


def _shown(glance: Glance) -> str:
    confidence = "" if glance.confidence is None else f" {glance.confidence:.2f}"
    return f"{glance.after_ms}{'.' if glance.stopped else '...'} {glance.text!r}{confidence}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns.remarks")
    parser.add_argument("--split", choices=("tune", "held-out", "all"), default="tune")
    parser.add_argument("--rule", default="ringback.conversation.core.barge_in:interrupts")
    parser.add_argument("--list", action="store_true", help="show what was decided rightly, too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
