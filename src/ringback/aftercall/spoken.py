"""What was said in a call, as the questions about it see it: data, never instructions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal

from ringback.aftercall.stage import FinishedCall
from ringback.agents import prompts

MAX_CHARACTERS: Final = 50_000
"""Of a transcript that is asked about (contract 13). Of a longer one the end tells more than the beginning."""
_BEGINNING: Final = 10_000
_OF_AN_EXCHANGE: Final = 2_000
"""Characters of a question, and of the answer to it, that are looked at without a language model."""
_PERSON: Final = re.compile(
    r"^\s*(?:user|customer|caller|callee|person|human|client|lead|patient|guest|prospect|recipient)\s*:\s*",
    re.IGNORECASE,
)
_AGENT: Final = re.compile(
    r"^\s*(?:assistant|agent|bot|ai|representative|operator|system)\s*:\s*", re.IGNORECASE
)

Role = Literal["assistant", "user"]


@dataclass(frozen=True, slots=True)
class Said:
    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the person said until the agent spoke again, and what the agent had said before it."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """A transcript with what is needed to understand it."""

    lines: tuple[Said, ...]
    day: date
    """On which it was said, where the person is."""
    language: str = "en"
    variables: Mapping[str, Any] = field(default_factory=dict)
    """Of the call, for the `{variables}` of questions."""

    def as_data(self) -> str:
        """The day and the transcript, as JSON: no text of it can end the data and go on as something else."""
        said: list[dict[str, str]] = [{line.role: line.text} for line in self.lines]
        left_out = sum(len(line.text) for line in self.lines) - MAX_CHARACTERS
        if left_out > 0:
            head = _first(self.lines, _BEGINNING)
            tail = _first(self.lines[::-1], MAX_CHARACTERS - _BEGINNING, backwards=True)[::-1]
            said = [*head, {"left out": f"{left_out} characters"}, *tail]
        transcript = json.dumps(said, ensure_ascii=False)
        return f"The call took place on {self.day:%A}, {self.day.isoformat()}. Its transcript:\n{transcript}"

    def exchanges(self) -> Iterator[Exchange]:
        question: list[str] = []
        answer: list[str] = []
        for line in self.lines:
            if line.role == "user":
                answer.append(line.text)
                continue
            if answer:
                yield _exchange(question, answer)
                question, answer = [], []
            question.append(line.text)
        if answer:
            yield _exchange(question, answer)


def of_call(call: FinishedCall) -> Spoken:
    execution, attempt = call.execution, call.attempt
    at_us = attempt.answered_at or attempt.dialled_at or execution.created_at
    variables = prompts.variables(
        execution.recipient_data,
        agent_id=execution.agent_id,
        execution_id=execution.id,
        call_sid=attempt.call_id,
        from_number=execution.from_number,
        to_number=execution.to_number,
        now_us=at_us,
    )
    lines = tuple(Said(turn.role, turn.text) for turn in call.turns)
    return Spoken(lines, _day(at_us, execution.recipient_data), call.plan.language, variables)


def of_text(text: str, at_us: int, language: str = "en") -> Spoken:
    """A transcript as people write it: "Agent: ...", "Customer: ...". A line without a name goes on with the one
    before; where nobody is named all of it is the person's."""
    lines: list[Said] = []
    for line in text.splitlines():
        role: Role = "assistant" if _AGENT.match(line) else "user"
        named = _AGENT.match(line) or _PERSON.match(line)
        if named or not lines:
            lines.append(Said(role, line[named.end() if named else 0 :].strip()))
        else:
            lines[-1] = Said(lines[-1].role, f"{lines[-1].text} {line.strip()}".strip())
    return Spoken(tuple(line for line in lines if line.text), _day(at_us, {}), language)


def _day(at_us: int, user_data: Mapping[str, Any]) -> date:
    return datetime.fromtimestamp(at_us / 1e6, prompts.zone_of(user_data)).date()


def _exchange(question: Sequence[str], answer: Sequence[str]) -> Exchange:
    return Exchange(" ".join(question)[-_OF_AN_EXCHANGE:], " ".join(answer)[:_OF_AN_EXCHANGE])


def _first(lines: Sequence[Said], room: int, backwards: bool = False) -> list[dict[str, str]]:
    """So many characters of them; of the last one that there is room for its beginning (`backwards`: its end)."""
    kept: list[dict[str, str]] = []
    for line in lines:
        if room <= 0:
            break
        kept.append({line.role: line.text[-room:] if backwards else line.text[:room]})
        room -= len(line.text)
    return kept
