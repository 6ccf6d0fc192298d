"""Dispositions: what is asked and what is answered (contract 13)."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from ringback.agents.disposition import SubjectiveType
from ringback.agents.disposition_fields import (
    DispositionFields,
    ObjectiveOption,
    Question,
    SubjectiveTypeConfig,
    SystemPrompt,
)
from ringback.agents.dispositions import MOST_OF_AGENT
from ringback.agents.validation import Name, Part, refuse
from ringback.api.calls import AgentId, Moment
from ringback.api.schemas.fields import Data, Id, Shape, Timestamp

MAX_AGENTS: Final = 100
MAX_TRANSCRIPT: Final = 50_000
AgentIds = Annotated[list[AgentId], Field(max_length=MAX_AGENTS)]


class _ForAgents(Part):
    """`agent_id`, as the documents have it, or `agent_ids`, as the vendor's script sends them: all of them count."""

    model_config = ConfigDict(extra="ignore")

    agent_id: AgentId | None = None
    agent_ids: AgentIds | None = None

    def agents(self) -> list[str]:
        one = [] if self.agent_id is None else [self.agent_id]
        return list(dict.fromkeys([*one, *(self.agent_ids or ())]))


class DispositionCreate(DispositionFields, _ForAgents):
    """Body of POST. Linked to all of the agents, if any are named. Unknown keys are ignored."""


class DispositionBulkItem(DispositionFields):
    """One of many. Unknown keys are ignored."""


class DispositionBulkCreate(_ForAgents):
    """Body of POST /dispositions/bulk. All are linked to the agent, or to each of the agents."""

    dispositions: Annotated[list[DispositionBulkItem], Field(min_length=1, max_length=MOST_OF_AGENT)]

    @model_validator(mode="after")
    def _someones(self) -> Self:
        if not self.agents():
            refuse([(("agent_id",), "is required")])
        return self


class DispositionUpdate(_ForAgents):
    """Body of PUT: what is named is changed, null sets the default. Unknown keys are ignored, also those that GET adds,
    so that what it returned can be sent back.

    With `agent_id` it is changed for that agent alone, and `agent_ids` is ignored. Without it `agent_ids`, where it is
    there, says which agents have it from now on.
    """

    name: Name | None = None
    question: Question | None = None
    category: Name | None = None
    system_prompt: SystemPrompt | None = None
    model: Name | None = None
    is_subjective: bool | None = None
    is_objective: bool | None = None
    subjective_type: SubjectiveType | None = None
    subjective_type_config: SubjectiveTypeConfig | None = None
    objective_options: list[ObjectiveOption] | None = None


class DispositionTestRequest(Part):
    """A transcript to ask an agent's dispositions about. Unknown keys are ignored."""

    transcript: Annotated[str, Field(min_length=1, max_length=MAX_TRANSCRIPT)] = Field(
        description="Lines of `assistant: ...` and `user: ...`, as executions show it, or any text."
    )
    call_date: Moment | None = Field(None, description="When it was said; without it: now.")


class Disposition(Shape):
    """A question about finished calls of some agents."""

    id: Id
    name: Name
    question: Question
    category: Name
    system_prompt: str | None
    model: Name
    is_subjective: bool
    """Answered in words, or by a value of `subjective_type`."""
    is_objective: bool
    """Answered by one of the options."""
    subjective_type: SubjectiveType
    subjective_type_config: SubjectiveTypeConfig | None
    objective_options: list[ObjectiveOption] | None
    agent_ids: list[Id]
    """After whose calls it is asked."""
    created_by: str
    """The account."""
    created_at: Timestamp
    updated_at: Timestamp


class DispositionCreated(Disposition):
    message: Literal["Disposition created successfully"]


class DispositionUpdated(Disposition):
    message: Literal["Disposition updated successfully"]


class DispositionCopied(Disposition):
    message: Literal["Disposition copy created and linked to agent"]


class DispositionDeleted(Shape):
    message: Literal["Disposition deleted successfully"]
    id: Id


class DispositionsCreated(Shape):
    message: Literal["Dispositions created successfully"]
    ids: list[Id]
    """In the order of the request."""


class DispositionValidation(Shape):
    """Whether the words found are of the type that was asked for."""

    is_valid: bool
    expected_type: SubjectiveType


class DispositionResult(Shape):
    """What was found. Empty text: nothing; null: not asked for, or none of the options; with both null the reasoning
    says why nothing could be found out."""

    subjective: str | None
    """Also a number, a day or `true` as text."""
    objective: str | None
    """The finest option that holds."""
    objective_path: list[str] = Field(default_factory=list)
    """Of a sub-option: from the outermost option to it. An addition."""
    confidence: Annotated[float, Field(ge=0, le=1)]
    confidence_label: Literal["High", "Medium", "Low"]
    """From 0.8, from 0.5, below."""
    reasoning_subjective: str | None
    reasoning_objective: str | None
    validation: DispositionValidation | None
    """Null without an answer, and for the type `text`."""


class DispositionTestResult(Shape):
    """As in `extracted_data` of an execution."""

    extracted_data: dict[str, dict[str, DispositionResult]]
    """By category, then by name."""


_FIELDS: Final[Data] = {
    "name": "Call Outcome",
    "question": "What was the outcome of the call?",
    "category": "Lead Quality",
    "system_prompt": "You judge calls of a solar company.",
    "model": "gpt-4.1-mini",
    "is_subjective": True,
    "is_objective": True,
    "subjective_type": "text",
    "subjective_type_config": None,
    "objective_options": [
        {
            "value": "interested",
            "condition": "The customer agreed to a next step",
            "sub_options": [
                {"value": "visit", "condition": "Somebody is to come by", "sub_options": []},
                {"value": "call back", "condition": "They want to be called again", "sub_options": []},
            ],
        },
        {"value": "not interested", "condition": "The customer declined", "sub_options": []},
    ],
}
_AGENT: Final = "3c90c3cc-0d44-4b50-8888-8dd25736052a"
_SHOWN: Final[Data] = {
    "id": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    **_FIELDS,
    "agent_ids": [_AGENT],
    "created_by": "a5d0f9d2-6d0c-4f5e-9a56-0d9b8a3f7c11",
    "created_at": "2024-01-23T01:10:00Z",
    "updated_at": "2024-01-23T01:10:00Z",
}
DISPOSITION_EXAMPLES: Final[Data] = {
    "DispositionCreate": {"agent_id": _AGENT, **_FIELDS},
    "DispositionBulkCreate": {
        "agent_id": _AGENT,
        "dispositions": [
            _FIELDS,
            {
                "name": "Wants a human",
                "question": "Did the customer ask for a human?",
                "category": "Escalation",
                "is_subjective": True,
                "subjective_type": "boolean",
            },
        ],
    },
    "DispositionUpdate": {"agent_id": _AGENT, "name": "Next Step", "category": "Conversion"},
    "DispositionTestRequest": {
        "transcript": "assistant: Shall somebody come by?\nuser: Yes, on Thursday.",
        "call_date": "2026-04-01T10:00:00Z",
    },
    "Disposition": _SHOWN,
    "DispositionCreated": {"message": "Disposition created successfully", **_SHOWN},
    "DispositionUpdated": {"message": "Disposition updated successfully", **_SHOWN},
    "DispositionCopied": {"message": "Disposition copy created and linked to agent", **_SHOWN},
    "DispositionDeleted": {"message": "Disposition deleted successfully", "id": _SHOWN["id"]},
    "DispositionsCreated": {
        "message": "Dispositions created successfully",
        "ids": [_SHOWN["id"], "7cb91a23-1234-4321-b2fc-1c963f11bde4"],
    },
    "DispositionTestResult": {
        "extracted_data": {
            "Lead Quality": {
                "Call Outcome": {
                    "subjective": "Somebody is to come by on Thursday.",
                    "objective": "visit",
                    "confidence": 0.93,
                    "confidence_label": "High",
                    "reasoning_subjective": "The customer said yes to a visit.",
                    "reasoning_objective": "The customer said yes to a visit.",
                    "validation": None,
                }
            }
        }
    },
}
