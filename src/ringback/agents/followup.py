"""What an agent is to find out when a call is over: its follow-up tasks, compiled (contract 7, `task_type`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ringback.agents.plan import ChatPlan
from ringback.agents.tools import HttpTool


@dataclass(frozen=True, slots=True)
class Extraction:
    """Values by name. Of the three ways to say which, a template wins over a schema over details."""

    model: ChatPlan | None
    """Whom to ask; its system prompt is the task's. None: there is no language model for it."""
    details: str = ""
    """`name : description` a line, or what is wanted in free words."""
    schema: Mapping[str, Any] | None = None
    """JSON schema of an object, as the client wrote it."""
    template_id: str | None = None


@dataclass(frozen=True, slots=True)
class Summarization:
    model: ChatPlan | None
    details: str = ""
    """How it is to be written."""


@dataclass(frozen=True, slots=True)
class FollowUps:
    """Without tasks it is what a deleted agent wants to know: nothing."""

    extractions: tuple[Extraction, ...] = ()
    summarization: Summarization | None = None
    webhooks: tuple[HttpTool, ...] = ()
    """Told what was extracted."""
    model: ChatPlan | None = None
    """The conversation's own language model: its endpoint is asked about dispositions. None: a scripted agent."""
    language: str = "en"
    """In which the person is understood without a language model."""
    notes: tuple[str, ...] = field(default=())
    """What of the definition is not honoured: a line each for the log."""
