"""Calls that are over, and a language model that is asked what they meant."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from ringback.aftercall.pipeline import Pipeline
from ringback.aftercall.telephone import TelephoneStage
from ringback.aftercall.transcript import TranscriptStage
from ringback.aftercall.webhook_task import WebhookStage
from ringback.agents.definition import read
from ringback.agents.disposition_fields import DispositionFields
from ringback.agents.dispositions import Dispositions
from ringback.agents.registry import Agent, Agents
from ringback.agents.validation import check
from ringback.app.after_call import CompiledFollowUps
from ringback.app.meaning import meaning_stages
from ringback.app.providers import Providers
from ringback.app.settings import Settings
from ringback.app.telemetry.measured import MeasuredStage
from ringback.app.telemetry.telemetry import Telemetry
from ringback.billing.prices import Prices
from ringback.executions.record import Execution, Turn
from tests.support import agent_definitions as bodies
from tests.support.after_call import OWNER, disconnected
from tests.support.chat_server import Answer as Reply
from tests.support.chat_server import ChatServer, chat_server, events
from tests.support.ledgers import Books

TALK = (
    ("assistant", "Hello, this is the clinic. Can you confirm your appointment on Monday?"),
    ("user", "Yes, that's fine."),
    ("assistant", "And what is your e-mail address?"),
    ("user", "It's ada at example dot com."),
    ("assistant", "How old are you?"),
    ("user", "I am forty-two."),
)


def reply(value: Any, usage: tuple[int, int] | None = (100, 20)) -> Reply:
    """What the language model answers."""
    return Reply(events(value if isinstance(value, str) else json.dumps(value), usage=usage))


@dataclass
class Desk:
    """An agent with follow-up tasks, on a real store."""

    books: Books
    server: ChatServer
    tasks: list[dict[str, Any]] = field(default_factory=list)
    body: dict[str, Any] = field(default_factory=bodies.simple)
    settings: dict[str, Any] = field(default_factory=dict)
    """Beside the language model's endpoint."""
    agent: Agent | None = None
    telemetry: Telemetry = field(default_factory=lambda: Telemetry("test"))

    @property
    def providers(self) -> Providers:
        llm = {"base_url": self.server.url, "api_key": "sk-secret"}
        return Providers(Settings(**{"llm": llm, "outbound": {"allow": ["127.0.0.0/8"]}, **self.settings}))

    def extracts(self, **config: Any) -> None:
        self._add("extraction", {"request_json": True, **config})

    def summarizes(self, **config: Any) -> None:
        self._add("summarization", config)

    def tells(self, url: str, **params: Any) -> None:
        tools = {"api_tools": {"tools_params": {"webhook": {"url": url, **params}}}}
        self.tasks.append({"task_type": "webhook", "tools_config": tools})

    async def asks(self, *dispositions: Mapping[str, Any]) -> None:
        kept = Dispositions(self.books.db, self.books.clock)
        fields = [check(DispositionFields, dict(one)) for one in dispositions]
        await kept.create(self.books.account_id, fields, [(await self.created()).id])

    async def created(self) -> Agent:
        if self.agent is None:
            body = {**self.body, "agent_config": {**self.body["agent_config"]}}
            body["agent_config"]["tasks"] = [*body["agent_config"]["tasks"], *self.tasks]
            agents = Agents(self.books.db, self.books.clock)
            self.agent = await agents.create(self.books.account_id, read(body))
        return self.agent

    async def call(self, talk: Sequence[tuple[str, str]] = TALK, **of_the_call: Any) -> Execution:
        """One that is over."""
        books = self.books
        call = await disconnected(books, agent_id=(await self.created()).id, **of_the_call)
        turns = [
            Turn(n, "user" if role == "user" else "assistant", text, n * 1000, n * 1000 + 900)
            for n, (role, text) in enumerate(talk)
        ]
        await books.ledger.add_turns(books.account_id, call.id, turns, number=1, lease_owner=OWNER)
        return call

    async def complete(self, call: Execution) -> dict[str, Any]:
        """The record when all is done. Raises NotYet."""
        providers, prices = self.providers, Prices(self.books.db)
        stages = (
            TranscriptStage(),
            *meaning_stages(self.books.db, self.books.clock, providers, prices, self.telemetry),
            TelephoneStage(prices),
            WebhookStage(providers.outbound),
        )
        agents = CompiledFollowUps(Agents(self.books.db, self.books.clock))
        measured = tuple(MeasuredStage(stage, self.telemetry) for stage in stages)
        work = Pipeline(self.books.db, self.books.ledger, measured, agents.of)
        await work.complete(self.books.account_id, call.id, 1, OWNER)
        return await self.books.body(call)

    async def record(self, talk: Sequence[tuple[str, str]] = TALK, **of_the_call: Any) -> dict[str, Any]:
        """Of one call, from its end to its completion."""
        return await self.complete(await self.call(talk, **of_the_call))

    async def notes(self, body: Mapping[str, Any], stage: str) -> list[str]:
        """What the log says of a stage."""
        rows = await self.books.db.fetch_all(
            "SELECT data FROM execution_log WHERE account_id = :account_id AND execution_id = :id ORDER BY at_us",
            account_id=self.books.account_id,
            id=body["id"],
        )
        return [row["data"] for row in rows if row["data"].startswith(stage)]

    async def usage(self, body: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Lines of the language model: purpose, model, unit, quantity, detail."""
        rows = await self.books.db.fetch_all(
            "SELECT purpose, model, unit, quantity, detail FROM usage_lines"
            " WHERE account_id = :account_id AND execution_id = :id AND kind = 'llm' ORDER BY purpose, unit",
            account_id=self.books.account_id,
            id=body["id"],
        )
        return [
            tuple(row[name] for name in ("purpose", "model", "unit", "quantity", "detail")) for row in rows
        ]

    def _add(self, kind: str, config: dict[str, Any]) -> None:
        llm = {"agent_type": "simple_llm_agent", "llm_config": {"model": "tiny", **config}}
        self.tasks.append({"task_type": kind, "tools_config": {"llm_agent": llm}})


@asynccontextmanager
async def desk(books: Books, *replies: Reply, **of_the_desk: Any) -> AsyncIterator[Desk]:
    """The language model gives these answers in turn, the last one again and again."""
    async with chat_server(*replies) as server:
        yield Desk(books, server, **of_the_desk)
