"""Extraction: values by name from what was said (contract 7, `extraction_details`; 4.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ringback.aftercall import fields
from ringback.aftercall.asking import ask_about
from ringback.aftercall.deterministic import find
from ringback.aftercall.findings import Findings
from ringback.aftercall.models import NO_MODEL, Bill, Models, NoModel
from ringback.aftercall.spoken import Spoken, of_call
from ringback.aftercall.stage import FinishedCall, Outcome
from ringback.agents.answer_schema import BadSchema, asked
from ringback.agents.followup import Extraction
from ringback.executions.record import ExecutionChanges
from ringback.llm.structured import Model

_OPEN: Final[Mapping[str, Any]] = {"type": "object", "maxProperties": fields.MAX_FIELDS}
"""What was asked for in free words has any names."""
_TASK: Final = (
    "Fill in a form with what was said. A value that the transcript does not give is null. Days and times of day are "
    "given as YYYY-MM-DD and HH:MM, reckoned from the day of the call."
)


@dataclass(frozen=True, slots=True)
class Template:
    """An extraction template of the account (contract 13)."""

    schema: Mapping[str, Any]
    instructions: str
    model: str


TemplateOf = Callable[[str, str], Awaitable[Template | None]]
"""By account and id."""


@dataclass(frozen=True, slots=True)
class _Form:
    """What one task asks for."""

    schema: Mapping[str, Any]
    task: str
    model: str | None = None
    """Name of the language model, where it is not the task's own."""


class ExtractionStage:
    """Implements `Stage`."""

    name = "extraction"
    tries = 3

    def __init__(self, models: Models, templates: TemplateOf, bill: Bill) -> None:
        self._models = models
        self._templates = templates
        self._bill = bill

    async def run(self, call: FinishedCall) -> Outcome:
        """Raises StageError where no language model can be reached."""
        changes = (
            ExecutionChanges(extraction_webhook_status=False) if call.plan.webhooks else ExecutionChanges()
        )
        if not call.plan.extractions:
            return Outcome(execution_changes=changes, note="; ".join(call.plan.notes))
        if not call.turns:
            return Outcome(execution_changes=changes, note="nobody said anything")
        spoken, findings, data = of_call(call), Findings(self.name), dict[str, Any]()
        tasks = (
            self._extracted(call.execution.account_id, extraction, spoken, findings)
            for extraction in call.plan.extractions
        )
        for found in await asyncio.gather(*tasks):
            data = merged(data, found)
        findings.try_again()
        if data:
            changes["extracted_data"] = merged(call.execution.extracted_data or {}, data)
        changes.update(findings.failure(call))
        known = sum(value is not None for value in data.values())
        return Outcome(
            result={"fields": len(data), "found": known},
            execution_changes=changes,
            usage=await self._bill.lines(call.execution.account_id, findings.usage, "extraction"),
            log=findings.log,
            note=findings.note(f"{known} of {len(data)} values found", *call.plan.notes),
            answered=findings.answered,
            unanswered=findings.unanswered,
        )

    async def _extracted(
        self, account_id: str, extraction: Extraction, spoken: Spoken, findings: Findings
    ) -> Mapping[str, Any]:
        try:
            form = await self._form(account_id, extraction)
            model = self._models.of(extraction.model, form.model) if extraction.model else None
        except (BadSchema, NoModel) as error:
            findings.fail(str(error))
            return {}
        if model is None:
            # It is reckoned by many expressions, and beside it people are talking.
            return await asyncio.to_thread(_without_a_model, form, spoken, findings)
        answer = await ask_about(_own(model), spoken, form.task, form.schema)
        findings.take(answer, model.chat.provider)
        findings.notes.append(f"by {model.name}")
        return answer.value or {}

    async def _form(self, account_id: str, extraction: Extraction) -> _Form:
        """Raises BadSchema, with the whole sentence."""
        prompt = extraction.model.system_prompt if extraction.model else ""
        if extraction.template_id is not None:
            template = await self._templates(account_id, extraction.template_id)
            if template is None:
                raise BadSchema(f"There is no extraction template {extraction.template_id}.")
            task = _joined(_TASK, prompt, template.instructions)
            return _Form(_read(template.schema, "its template's schema"), task, template.model)
        schema = extraction.schema or fields.from_lines(extraction.details)
        if schema is None:
            free = extraction.details if extraction.details != prompt else ""
            return _Form(_OPEN, _joined(_TASK, "Choose short names for the values.", prompt, free))
        return _Form(_read(schema, "extraction_details"), _joined(_TASK, prompt))


def merged(before: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """What was found over what was known before; that somebody did not find a thing takes nothing away."""
    return {
        **before,
        **{name: value for name, value in found.items() if value is not None or name not in before},
    }


def _without_a_model(form: _Form, spoken: Spoken, findings: Findings) -> dict[str, Any]:
    data: dict[str, Any] = {}
    left = []
    for name, wanted in fields.wanted(form.schema).items():
        found = find(wanted, spoken) if wanted else None
        data[name] = found.value if found else None
        if wanted is None:
            left.append(name)
    findings.answered += 1
    findings.notes.append(
        f"{NO_MODEL}: only numbers, days, times, yes and no, e-mail addresses and patterns are looked for"
    )
    if left or not data:
        findings.notes.append(f"not looked for: {', '.join(left) or 'what was asked in free words'}")
    return data


def _own(model: Model) -> Model:
    """Facts, not ideas."""
    return replace(model, settings=replace(model.settings, temperature=min(model.settings.temperature, 0.3)))


def _read(schema: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    try:
        return asked(schema)
    except BadSchema as error:
        raise BadSchema(f"What is to be extracted cannot be asked for: {what}: {error}.") from None


def _joined(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())
