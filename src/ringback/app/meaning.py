"""What calls meant, wired: the language models that are asked, and the stages that ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from ringback.aftercall.dispositions import DispositionsStage, evaluate
from ringback.aftercall.extraction import ExtractionStage, Template
from ringback.aftercall.findings import Findings
from ringback.aftercall.models import Bill, NoModel
from ringback.aftercall.spoken import of_text
from ringback.aftercall.stage import Stage
from ringback.aftercall.summary import SummaryStage
from ringback.agents.chat import ChatSettings
from ringback.agents.compile_followup import LEAST_TOKENS, compile_follow_ups
from ringback.agents.disposition import DEFAULT_MODEL, Disposition
from ringback.agents.dispositions import Dispositions
from ringback.agents.extraction_templates import ExtractionTemplates, UnknownTemplate
from ringback.agents.plan import ChatPlan
from ringback.agents.registry import Agent
from ringback.app.providers import SCRIPTED, Providers, UnknownProvider
from ringback.app.telemetry.measured import MeasuredChat
from ringback.app.telemetry.telemetry import Telemetry
from ringback.billing.prices import Prices
from ringback.clock import Clock
from ringback.llm.structured import Model
from ringback.store.database import Database

_OPENAI: Final = "api.openai.com"


def meaning_stages(
    db: Database, clock: Clock, providers: Providers, prices: Prices, telemetry: Telemetry
) -> tuple[Stage, ...]:
    """Extraction, dispositions and summary, in this order."""
    models, bill = ChatModels(providers, telemetry), Bill(prices, clock)
    templates, dispositions = ExtractionTemplates(db, clock), Dispositions(db, clock)

    async def template(account_id: str, template_id: str) -> Template | None:
        try:
            fields = (await templates.get(account_id, template_id)).fields
        except UnknownTemplate:
            return None
        return Template(fields["json_schema"], fields["instructions"] or "", fields["model"])

    return (
        ExtractionStage(models, template, bill),
        DispositionsStage(models, dispositions.of_agent, bill),
        SummaryStage(models, bill),
    )


class TriedDispositions:
    """Dispositions asked about a transcript that somebody wrote, as after a call; nothing is kept."""

    def __init__(self, providers: Providers) -> None:
        self._models = ChatModels(providers)

    async def __call__(
        self, agent: Agent, dispositions: Sequence[Disposition], transcript: str, at_us: int
    ) -> Mapping[str, Any]:
        plan = compile_follow_ups(agent.definition)
        spoken, findings = of_text(transcript, at_us, plan.language), Findings("dispositions")
        return await evaluate(spoken, dispositions, self._models, plan.model, findings)


class ChatModels:
    """Implements `aftercall.models.Models`."""

    def __init__(self, providers: Providers, telemetry: Telemetry | None = None) -> None:
        """`telemetry` hears of each question as of the component `question`."""
        self._providers = providers
        self._telemetry = telemetry

    def of(self, plan: ChatPlan | None, name: str | None = None) -> Model | None:
        asked = plan or ChatPlan("openai", ChatSettings(name or DEFAULT_MODEL, LEAST_TOKENS))
        endpoint = self._providers.endpoint(asked.base_url)
        if endpoint is None or asked.provider == SCRIPTED:
            return None
        chosen = self._name(plan, name, endpoint)
        if chosen != asked.chat.model:
            # What is set for one model may be refused by another.
            asked = replace(asked, chat=ChatSettings(chosen, LEAST_TOKENS))
        try:
            chat = self._providers.chat(asked, waiting=False)
        except UnknownProvider as error:
            raise NoModel(str(error)) from None
        if chat is None:
            return None
        measured = MeasuredChat(chat, self._telemetry, "question") if self._telemetry else chat
        return Model(measured, asked.chat)

    def _name(self, plan: ChatPlan | None, name: str | None, endpoint: str) -> str:
        """The default name is OpenAI's: at another endpoint it means that nothing was chosen."""
        own = plan.chat.model if plan else self._providers.model
        is_openai = not endpoint or urlsplit(endpoint).hostname == _OPENAI
        if name is None or (name == DEFAULT_MODEL and not is_openai):
            return own or name or DEFAULT_MODEL
        return name
