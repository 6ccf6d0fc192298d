"""What a check has found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self

from ringback.app.doctor.faults import Fault


class State(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    SKIPPED = "skipped"
    """It could not be checked, and why."""


@dataclass(frozen=True, slots=True)
class Finding:
    check: str
    state: State
    sentence: str
    fault: str | None = None
    """Name of the fault, as docs/doctor.md lists it; None without one."""

    @classmethod
    def ok(cls, check: str, sentence: str) -> Self:
        return cls(check, State.OK, sentence)

    @classmethod
    def skipped(cls, check: str, sentence: str) -> Self:
        return cls(check, State.SKIPPED, sentence)

    @classmethod
    def of(cls, check: str, fault: Fault, **facts: object) -> Self:
        """A fault. Raises KeyError where its sentence needs a fact that is missing."""
        sentence = " ".join(fault.sentence.format(**facts).split())
        return cls(check, State.FAULT if fault.grave else State.WARNING, sentence, fault.name)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


class Faulty(Exception):
    """A check cannot go on: this is why."""

    def __init__(self, fault: Fault, **facts: object) -> None:
        super().__init__(fault.name)
        self.fault = fault
        self.facts = facts

    def finding(self, check: str) -> Finding:
        return Finding.of(check, self.fault, **self.facts)
