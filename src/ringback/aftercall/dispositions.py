"""Dispositions: each a question about the call, asked of a language model (contract 13 and 4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Mapping, Sequence
from itertools import chain, count
from typing import Any, Final

from ringback.aftercall import subjective
from ringback.aftercall.asking import ask_about, patience
from ringback.aftercall.findings import Findings
from ringback.aftercall.models import NO_MODEL, Bill, Models, NoModel
from ringback.aftercall.objective import Choices
from ringback.aftercall.spoken import Spoken, of_call
from ringback.aftercall.stage import FinishedCall, Outcome
from ringback.agents.answer_schema import asked
from ringback.agents.disposition import Disposition
from ringback.agents.plan import ChatPlan
from ringback.executions.record import ExecutionChanges
from ringback.llm.structured import Model

AT_ONCE: Final = 8
"""Questions about one call that are under way at once."""
MAX_TEXT: Final = 2_000
"""Characters of an answer or a reason in the record: an agent may have a hundred dispositions."""
_QUOTED: Final = 100
_BY_ITS_QUESTION: Final = 0.9
_THE_ONLY_ONE: Final = 0.6
"""Confidence in what was found without a language model."""

DispositionsOf = Callable[[str, str], Awaitable[Sequence[Disposition]]]
"""By account and agent."""


class DispositionsStage:
    """Implements `Stage`."""

    name = "dispositions"
    tries = 3

    def __init__(self, models: Models, dispositions: DispositionsOf, bill: Bill) -> None:
        self._models = models
        self._dispositions = dispositions
        self._bill = bill

    async def run(self, call: FinishedCall) -> Outcome:
        """Raises StageError where no language model can be reached."""
        account_id = call.execution.account_id
        dispositions = await self._dispositions(account_id, call.execution.agent_id)
        if not dispositions:
            return Outcome()
        if not call.turns:
            return Outcome(note="nobody said anything")
        findings = Findings(self.name)
        data = await evaluate(of_call(call), dispositions, self._models, call.plan.model, findings)
        findings.try_again()
        known = call.execution.extracted_data or {}
        changes = ExecutionChanges(extracted_data={**known, **data})
        changes.update(findings.failure(call))
        return Outcome(
            result={"asked": len(dispositions)},
            execution_changes=changes,
            usage=await self._bill.lines(account_id, findings.usage, "dispositions"),
            log=findings.log,
            note=findings.note(f"{len(dispositions)} asked"),
            answered=findings.answered,
            unanswered=findings.unanswered,
        )


async def evaluate(
    spoken: Spoken,
    dispositions: Sequence[Disposition],
    models: Models,
    agents: ChatPlan | None,
    findings: Findings,
) -> dict[str, dict[str, Any]]:
    """The answers by category and name; one that could not be had is null, with the reason.

    Each is asked at the endpoint of the agent's own language model. What it cost is added to `findings`.
    """
    places, by = asyncio.Semaphore(AT_ONCE), patience()

    async def one(disposition: Disposition) -> dict[str, Any]:
        async with places:
            return await _answer(spoken, disposition, models, agents, findings, by)

    found = await asyncio.gather(*map(one, dispositions))
    data: dict[str, dict[str, Any]] = {}
    for disposition, answer in zip(dispositions, found, strict=True):
        answers = data.setdefault(disposition.category, {})
        answers[_free(disposition.name, answers)] = answer
    return data


def _free(name: str, taken: Container[str]) -> str:
    """Two of one name are two questions all the same: the second is "name (2)"."""
    names = chain([name], (f"{name} ({number})" for number in count(2)))
    return next(free for free in names if free not in taken)


async def _answer(
    spoken: Spoken,
    disposition: Disposition,
    models: Models,
    agents: ChatPlan | None,
    findings: Findings,
    by: float,
) -> dict[str, Any]:
    try:
        model = models.of(agents, disposition.model)
    except NoModel as error:
        findings.fail(str(error))
        return _unanswered(disposition, str(error))
    if model is None:
        findings.answered += 1
        findings.notes.append(
            f"{NO_MODEL}: no option is chosen and no text written, only plain types are looked for"
        )
        return await asyncio.to_thread(_without_a_model, disposition, spoken)
    return await _asked(model, spoken, disposition, findings, by)


async def _asked(
    model: Model, spoken: Spoken, disposition: Disposition, findings: Findings, by: float
) -> dict[str, Any]:
    choices = Choices(disposition.objective_options) if disposition.is_objective else None

    def better(value: Any) -> str | None:
        return subjective.problem(disposition, (value.get("subjective") or "").strip())

    answer = await ask_about(
        model,
        spoken,
        _task(disposition, choices),
        _schema(disposition, choices),
        wish=better if disposition.is_subjective else lambda value: None,
        by=by,
    )
    findings.take(answer, model.chat.provider, disposition.name)
    if answer.value is None:
        return _unanswered(disposition, answer.reason)
    value: Mapping[str, Any] = answer.value
    text = (value.get("subjective") or "").strip()[:MAX_TEXT] if disposition.is_subjective else None
    choice = choices.chosen(value.get("objective")) if choices else None
    found = _result(
        text,
        choice.path[-1] if choice else None,
        float(value["confidence"]),
        _short(value.get("reasoning_subjective")),
        _short(value.get("reasoning_objective")),
        subjective.validation(disposition, text or ""),
    )
    return found | ({"objective_path": list(choice.path)} if choice and len(choice.path) > 1 else {})


def _short(text: str | None) -> str | None:
    return None if text is None else text[:MAX_TEXT]


def _task(disposition: Disposition, choices: Choices | None) -> str:
    parts = [
        disposition.system_prompt or "",
        f"The question: {disposition.question}",
        subjective.task(disposition) if disposition.is_subjective else "",
        choices.task() if choices else "",
        "Each `reasoning` says in one sentence by what words of the transcript. `confidence` is from 0 to 1: how sure "
        "the transcript makes the answer.",
    ]
    return "\n\n".join(part for part in parts if part)


def _schema(disposition: Disposition, choices: Choices | None) -> Mapping[str, Any]:
    """Reasons come before what they lead to."""
    properties: dict[str, Any] = {}
    if disposition.is_subjective:
        properties |= {"reasoning_subjective": {"type": "string"}, "subjective": {"type": "string"}}
    if choices:
        properties |= {"reasoning_objective": {"type": "string"}, "objective": choices.schema()}
    schema = asked({"type": "object", "properties": properties})
    # Of all answers only this one may not be left out.
    confidence = {"type": "number", "minimum": 0, "maximum": 1}
    schema["properties"] = {**schema["properties"], "confidence": confidence}
    return {**schema, "required": list(schema["properties"])}


def _without_a_model(disposition: Disposition, spoken: Spoken) -> dict[str, Any]:
    found = subjective.said(disposition, spoken) if disposition.is_subjective else None
    text = subjective.written(found.value) if found else ""
    how = f'found {NO_MODEL} in "{found.text[:_QUOTED]}"' if found else f"nothing was found {NO_MODEL}"
    confidence = 0.0 if found is None else _BY_ITS_QUESTION if found.asked else _THE_ONLY_ONE
    return _result(
        text if disposition.is_subjective else None,
        None,
        confidence,
        how if disposition.is_subjective else None,
        f"{NO_MODEL} no option is chosen" if disposition.is_objective else None,
        subjective.validation(disposition, text),
    )


def _unanswered(disposition: Disposition, reason: str) -> dict[str, Any]:
    return _result(
        None,
        None,
        0.0,
        reason if disposition.is_subjective else None,
        reason if disposition.is_objective else None,
        None,
    )


def _result(
    text: str | None,
    choice: str | None,
    confidence: float,
    why: str | None,
    why_chosen: str | None,
    validation: Mapping[str, Any] | None,
) -> dict[str, Any]:
    sure = round(confidence, 2)
    return {
        "subjective": text,
        "objective": choice,
        "confidence": sure,
        "confidence_label": "High" if sure >= 0.8 else "Medium" if sure >= 0.5 else "Low",
        "reasoning_subjective": why,
        "reasoning_objective": why_chosen,
        "validation": validation,
    }
