"""What the providers of one call are to be paid for: each use is tied to the turn that it was for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ringback.clock import Clock
from ringback.conversation.result import Provided, Purpose, Unit, Usage
from ringback.conversation.transcript import Turn


@dataclass(frozen=True, slots=True)
class _Use:
    line: Usage
    since: float
    """What was heard, asked or said began then (monotonic seconds)."""
    until: float


class Meter:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._uses: list[_Use] = []

    def now(self) -> float:
        """Seconds on the scale of `since`."""
        return self._clock.monotonic()

    def used(
        self,
        component: Provided,
        provider: str,
        model: str,
        unit: Unit,
        quantity: int,
        since: float,
        *,
        purpose: Purpose = "conversation",
        detail: str = "",
    ) -> None:
        """Take down a use that began at `since` and is over now."""
        if quantity:
            line = Usage(component, provider, model, unit, quantity, detail, purpose=purpose)
            self._uses.append(_Use(line, since, self.now()))

    def lines(self, turns: Sequence[Turn], answered_at: float) -> list[Usage]:
        """One line for each turn, provider, unit and purpose, in the order of their first use.

        `turns` in the order in which they were told, which numbers them; `answered_at`: where their milliseconds begin.
        """
        lines: dict[Usage, Usage] = {}
        for use in sorted(self._uses, key=lambda use: use.since):
            since_ms, until_ms = (round((at - answered_at) * 1000) for at in (use.since, use.until))
            line = _tied(use.line, turns, since_ms, until_ms)
            key = replace(line, quantity=0, at_ms=0)
            known = lines.get(key)
            if known is None:
                lines[key] = replace(line, at_ms=max(0, since_ms))
            else:
                lines[key] = replace(known, quantity=known.quantity + line.quantity)
        return list(lines.values())


def _tied(line: Usage, turns: Sequence[Turn], since_ms: int, until_ms: int) -> Usage:
    """The line with its turn, if there is one: noises are none, and neither are words that nobody heard any more."""
    numbered = sorted(enumerate(turns), key=lambda pair: pair[1].start_ms)
    ours = [(number, turn) for number, turn in numbered if turn.role == "assistant"]
    if line.component == "transcriber":
        theirs = [(number, turn) for number, turn in numbered if turn.role == "user"]
        heard = [number for number, turn in theirs if turn.start_ms <= until_ms and turn.end_ms >= since_ms]
        return replace(line, turn=heard[-1] if heard else None)
    if line.purpose == "hangup":
        judged = [number for number, turn in ours if turn.end_ms <= since_ms]
        return replace(line, turn=judged[-1] if judged else None)
    # Words that were withdrawn before anybody heard them were on the way to the next ones that were heard.
    number = next((number for number, turn in ours if turn.end_ms > since_ms), None)
    opening = numbered[0][0] if numbered else None
    if line.component == "synthesizer" and number == opening:
        return replace(line, turn=number, purpose="welcome_message")
    return replace(line, turn=number)
