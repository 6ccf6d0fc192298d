"""Summarization: the call in a few sentences (contract 7, `summarization_details`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from ringback.aftercall.asking import ask_about
from ringback.aftercall.findings import Findings
from ringback.aftercall.models import NO_MODEL, Bill, Models, NoModel
from ringback.aftercall.spoken import of_call
from ringback.aftercall.stage import FinishedCall, Outcome
from ringback.executions.record import ExecutionChanges
from ringback.llm.structured import Answer

MAX_SUMMARY: Final = 10_000
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"summary": {"type": "string"}},
    "required": ["summary"],
    "additionalProperties": False,
}
_TASK: Final = (
    "Summarize the call for somebody who was not there: what it was about, what was agreed, what is to be done next. "
    "A few sentences in the language of the call."
)


class SummaryStage:
    """Implements `Stage`."""

    name = "summary"
    tries = 3

    def __init__(self, models: Models, bill: Bill) -> None:
        self._models = models
        self._bill = bill

    async def run(self, call: FinishedCall) -> Outcome:
        """Raises StageError where no language model can be reached."""
        wanted = call.plan.summarization
        if wanted is None:
            return Outcome()
        if not call.turns:
            return Outcome(note="nobody said anything")
        findings = Findings(self.name)
        try:
            model = self._models.of(wanted.model) if wanted.model else None
        except NoModel as error:
            findings.fail(str(error))
            return Outcome(execution_changes=findings.failure(call), note=findings.note())
        if model is None or wanted.model is None:
            return Outcome(note=f"none is written {NO_MODEL}")
        task = "\n\n".join(part for part in (_TASK, wanted.model.system_prompt, wanted.details) if part)
        answer = _bounded(await ask_about(model, of_call(call), task, _SCHEMA, wish=_empty))
        findings.take(answer, model.chat.provider)
        findings.try_again()
        changes = ExecutionChanges(summary=answer.value["summary"]) if answer.value else ExecutionChanges()
        changes.update(findings.failure(call))
        return Outcome(
            execution_changes=changes,
            usage=await self._bill.lines(call.execution.account_id, findings.usage, "summarization"),
            log=findings.log,
            note=findings.note(f"by {model.name}"),
            answered=findings.answered,
            unanswered=findings.unanswered,
        )


def _empty(value: Any) -> str | None:
    return None if value["summary"].strip() else "`summary` is empty"


def _bounded(answer: Answer) -> Answer:
    """An empty one is none."""
    if answer.value is None:
        return answer
    text = answer.value["summary"].strip()[:MAX_SUMMARY]
    if not text:
        return replace(answer, value=None, reason="The language model wrote an empty summary, twice.")
    return replace(answer, value={"summary": text})
