"""Pages of executions, and the log of one (contract 1, 3.2 and 3.4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ringback.api.schemas.execution import Execution
from ringback.api.schemas.fields import Count, Data, Id, Shape, Timestamp

PageNumber = Annotated[int, Field(ge=1)]


class Sort(Shape):
    field: Literal["created_at"]
    order: Literal["desc"]


class ExecutionPage(Shape):
    """A page of executions, newest first."""

    page_number: PageNumber | None
    """Null where the list was asked by `cursor`."""
    page: PageNumber | None
    """The same."""
    page_size: Annotated[int, Field(ge=1, le=50)]
    """As applied."""
    total: Count | None
    """Null where `include_total` is false."""
    total_exact: bool | None
    """False: there are more than `total`."""
    has_more: bool
    next_cursor: str | None
    """Where the list goes on, as `cursor`; null on the last page."""
    filters: Data
    """The filters as they were sent."""
    sorts: list[Sort]
    data: list[Execution]


class LogLine(Shape):
    created_at: Timestamp
    timestamp: Timestamp
    """The same."""
    type: Literal["request", "response", "event", "error"]
    component: str
    """`transcriber`, `llm`, `synthesizer`, `tool`, `system` or `routing`."""
    provider: str | None
    data: str
    tool_name: str = ""
    """On lines of tools only."""
    reasoning_content: str = ""
    """On answers of language models that reason only."""


class ExecutionLog(Shape):
    """What happened during an execution, in time order."""

    status: Literal["success"]
    execution_id: Id
    data: list[LogLine]
