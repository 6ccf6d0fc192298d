"""What the simulated person does: a small script, one step after the other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from ringback.demo.words import words


@dataclass(frozen=True, slots=True)
class Step:
    """Wait for the agent to say one of `hears`, then say `says` (nothing where it is empty).

    With `interrupts_after_ms` the person does not hear the agent out but starts to talk so long after it began.
    """

    hears: tuple[str, ...]
    says: str
    interrupts_after_ms: int | None = None

    def understands(self, text: str) -> bool:
        heard = f" {' '.join(words(text))} "
        return any(f" {' '.join(words(phrase))} " in heard for phrase in self.hears)


def load() -> list[Step]:
    """The script that comes with the demo."""
    raw = json.loads((files("ringback.demo") / "person.json").read_text())
    return [Step(tuple(s["hears"]), s["says"], s.get("interrupts_after_ms")) for s in raw]
