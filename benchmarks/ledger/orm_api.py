"""The baseline: executions as most would serve them today, with FastAPI, SQLAlchemy's ORM and pydantic.

It does as much work as it must for the same answer and no more: no authentication, no filters, no mapping of
statuses. The ORM maps the key, what the list is ordered by, and the record as one JSON column, which is parsed once a
row; our table holds the transcript nowhere else, and mapping its forty other columns too would only make it slower.
PostgreSQL is read by an asynchronous session, SQLite by a plain one in FastAPI's thread pool.
"""

from __future__ import annotations

import json
import os
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, Text, create_engine, func, select
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.types import TypeDecorator

URL = os.environ["LEDGER_URL"]
ACCOUNT = os.environ["LEDGER_ACCOUNT"]


class JsonText(TypeDecorator[dict[str, Any]]):
    """JSON in a column of text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return None if value is None else json.loads(value)


class Base(DeclarativeBase):
    pass


class Execution(Base):
    __tablename__ = "executions"

    account_id: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    agent_id: Mapped[str] = mapped_column(Text)
    seq: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    record: Mapped[dict[str, Any]] = mapped_column("body", JsonText)


class CostBreakdown(BaseModel):
    llm: float
    network: float
    platform: float
    synthesizer: float
    transcriber: float


class TelephonyData(BaseModel):
    duration: int
    to_number: str | None
    from_number: str | None
    recording_url: str | None
    hosted_telephony: bool
    provider_call_id: str | None
    call_type: str
    provider: str
    hangup_by: str | None
    hangup_reason: str | None
    hangup_provider_code: int | None
    hangup_code: int | None
    sip_code: int | None
    ring_duration: int | None
    post_dial_delay: int | None
    to_number_carrier: str | None


class BatchRun(BaseModel):
    status: str
    created_at: str
    updated_at: str
    retried: int


class Usage(BaseModel):
    synthesizer_characters: int
    synthesizer_model: str | None
    synthesizer_provider: str | None
    transcriber_duration: float
    transcriber_model: str | None
    transcriber_provider: str | None
    llm_tokens: int
    llm_model: dict[str, dict[str, int]]
    llmTokens: int  # noqa: N815
    llmModel: dict[str, dict[str, int]]  # noqa: N815


class Record(BaseModel):
    id: str
    agent_id: str
    batch_id: str | None
    conversation_time: float
    total_cost: float
    status: str
    answered_by_voice_mail: bool
    transcript: str
    created_at: str
    updated_at: str
    cost_breakdown: CostBreakdown
    telephony_data: TelephonyData
    transfer_call_data: dict[str, Any] | None
    batch_run_details: BatchRun | None
    extracted_data: dict[str, Any] | None
    context_details: dict[str, Any]
    execution_id: str
    conversation_duration: float
    smart_status: str
    error_message: str | None
    usage_breakdown: Usage
    summary: str | None
    user_number: str | None
    agent_number: str | None
    provider: str
    scheduled_at: str | None
    rescheduled_at: str | None
    initiated_at: str | None
    retry_config: dict[str, Any] | None
    retry_count: int
    retry_history: list[dict[str, Any]] | None
    latency_data: dict[str, Any] | None
    termination_reason: str | None
    agent_extraction: dict[str, Any] | None
    custom_extractions: dict[str, Any] | None
    workflow_retries: dict[str, Any] | None
    campaign_id: str | None
    deleted: bool
    extraction_webhook_status: bool | None
    createdAt: str  # noqa: N815
    updatedAt: str  # noqa: N815


class Page(BaseModel):
    page_number: int
    page_size: int
    total: int
    has_more: bool
    data: list[Record]


def of(agent_id: str) -> tuple[ColumnElement[bool], ...]:
    # The account leads our indexes; without it the baseline would have none.
    return Execution.account_id == ACCOUNT, Execution.agent_id == agent_id


def newest(agent_id: str) -> Select[Execution]:
    return select(Execution).where(*of(agent_id)).order_by(Execution.seq.desc())


def counted(agent_id: str) -> Select[int]:
    return select(func.count()).select_from(Execution).where(*of(agent_id))


def page_of(found: list[dict[str, Any]], number: int, size: int, total: int) -> dict[str, Any]:
    more = number * size < total
    return {"page_number": number, "page_size": size, "total": total, "has_more": more, "data": found}


app = FastAPI()

if URL.startswith("sqlite"):
    sessions = sessionmaker(create_engine(URL))

    @app.get("/agent/{agent_id}/executions", response_model=list[Record])
    def list_executions(agent_id: str) -> Any:
        with sessions() as session:
            return [row.record for row in session.scalars(newest(agent_id))]

    @app.get("/v2/agent/{agent_id}/executions", response_model=Page)
    def page_executions(agent_id: str, page_number: int = 1, page_size: int = 20) -> Any:
        with sessions() as session:
            offset = (page_number - 1) * page_size
            total = session.scalar(counted(agent_id)) or 0
            found = session.scalars(newest(agent_id).limit(page_size).offset(offset))
            return page_of([row.record for row in found], page_number, page_size, total)

else:
    async_sessions = async_sessionmaker(create_async_engine(URL))

    @app.get("/agent/{agent_id}/executions", response_model=list[Record])
    async def list_executions_async(agent_id: str) -> Any:
        async with async_sessions() as session:
            return [row.record for row in await session.scalars(newest(agent_id))]

    @app.get("/v2/agent/{agent_id}/executions", response_model=Page)
    async def page_executions_async(agent_id: str, page_number: int = 1, page_size: int = 20) -> Any:
        async with async_sessions() as session:
            offset = (page_number - 1) * page_size
            total = await session.scalar(counted(agent_id)) or 0
            found = await session.scalars(newest(agent_id).limit(page_size).offset(offset))
            return page_of([row.record for row in found], page_number, page_size, total)
