"""The agent definition that clients send (contract 7): its shape, its defaults, and what PATCH may change.

A definition is stored as it was sent plus every default, so that what an agent does can be read from it,
later defaults do not change it, and PUT of what GET returned changes nothing. Providers are free strings: one
that has no adapter is refused by the call that needs it, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

from pydantic import Field, PlainValidator, SerializeAsAny, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from ringback.agents.api_tools import ApiTools
from ringback.agents.graph import Graph, Problems, ScriptedGraph
from ringback.agents.task_config import TaskConfig
from ringback.agents.validation import (
    DescribedAs,
    Name,
    Part,
    Real,
    Text,
    Url,
    Whole,
    check,
    refuse,
    shaped,
)

GRAPH_AGENTS = ("graph_agent", "graph")


@dataclass(frozen=True, slots=True)
class Definition:
    """A valid definition with its defaults, as plain JSON."""

    config: dict[str, Any]
    prompts: dict[str, Any]


def _stop(value: Any) -> Any:
    texts = value if isinstance(value, list) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise PydanticCustomError("stop", "must be a text or an array of texts")
    return value


class LlmConfig(Part):
    """A language model. No `base_url` means the one of the installation's settings.

    Our additions: `fallback_model` is asked where the model fails before it says anything, at
    `fallback_base_url` (default: the same endpoint), under the name `fallback_provider` (default: the same).
    """

    agent_flow_type: str = "streaming"
    provider: Name = "openai"
    family: Name = "openai"
    model: Name = "gpt-4.1-mini"
    max_tokens: Annotated[Whole, Field(ge=1, le=1_000_000)] = 100
    temperature: Annotated[Real, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Real, Field(ge=0, le=1)] = 0.9
    min_p: Annotated[Real, Field(ge=0, le=1)] = 0.1
    top_k: Annotated[Whole, Field(ge=0)] = 0
    presence_penalty: Annotated[Real, Field(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[Real, Field(ge=-2, le=2)] = 0.0
    base_url: Url | None = None
    request_json: bool = False
    summarization_details: Text | None = None
    extraction_details: Text | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    stop: Annotated[list[str] | str, PlainValidator(_stop), DescribedAs(list[str] | str)] | None = None
    vector_store: dict[str, Any] | None = None
    fallback_model: Name | None = None
    fallback_provider: Name | None = None
    fallback_base_url: Url | None = None

    @model_validator(mode="after")
    def _fallback(self) -> Self:
        if self.fallback_model is None:
            needs = [
                key for key in ("fallback_provider", "fallback_base_url") if getattr(self, key) is not None
            ]
            refuse(((key,), "needs a fallback_model") for key in needs)
        return self

    @model_validator(mode="after")
    def _temperature(self) -> Self:
        only_one = self.model.startswith("gpt-5")
        if self.temperature is None:
            self.temperature = 1.0 if only_one else 0.1
        elif only_one and self.temperature != 1:
            refuse([(("temperature",), f"must be 1 for {self.model}")])
        return self


class GraphConfig(Graph, LlmConfig):
    """A graph whose nodes and edges need a language model."""

    agent_information: Text
    routing_model: Name | None = None
    routing_provider: Name | None = None
    routing_instructions: Text | None = None
    routing_reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    routing_max_tokens: Annotated[Whole, Field(ge=1, le=1_000_000)] | None = None


class FlatAgent(LlmConfig):
    """`llm_agent` of v1: the language model without a `llm_config` around it."""

    max_tokens: Annotated[Whole, Field(ge=1, le=1_000_000)] = 350


class OtherAgent(Part):
    """Agents of a type that this version keeps but cannot run."""

    agent_type: Name
    llm_config: dict[str, Any] | None = None


C = TypeVar("C", bound=Part)


class NestedAgent(Part, Generic[C]):
    """`llm_agent` of v2."""

    agent_type: Name = "simple_llm_agent"
    agent_flow_type: str = "streaming"
    routes: dict[str, Any] | list[Any] | None = None
    llm_config: C


def _agent_shape(value: Any) -> type[Part]:
    if not isinstance(value, dict):
        return NestedAgent[LlmConfig]
    kind, config = value.get("agent_type"), value.get("llm_config")
    if kind in GRAPH_AGENTS:
        inner = config if isinstance(config, dict) else value
        scripted = inner.get("provider") == "scripted"
        if inner is value and config is None:
            return ScriptedGraph if scripted else GraphConfig
        return NestedAgent[ScriptedGraph] if scripted else NestedAgent[GraphConfig]
    if kind in (None, "simple_llm_agent", "simple", "knowledgebase_agent", "knowledgebase"):
        flat = config is None and (kind is None or "model" in value or "provider" in value)
        return FlatAgent if flat else NestedAgent[LlmConfig]
    return OtherAgent


class Synthesizer(Part):
    provider: Name
    provider_config: dict[str, Any]
    stream: bool = True
    buffer_size: Annotated[Whole, Field(ge=1)] = 250
    audio_format: Name = "wav"
    caching: bool = True


class Transcriber(Part):
    provider: Name
    model: str | None = None
    language: Name = "en"
    stream: bool = True
    sampling_rate: Annotated[Whole, Field(ge=8000, le=48000)] = 16000
    encoding: Name = "linear16"
    endpointing: Annotated[Whole, Field(ge=0, le=10_000)] | None = None

    @model_validator(mode="after")
    def _endpointing(self) -> Self:
        if self.endpointing is None:
            self.endpointing = 100 if self.provider == "bodhi" else 250
        return self


class Handler(Part):
    """`input` and `output`: how the call is carried. `default` is the installation's own trunk."""

    provider: Name = "default"
    format: Name = "wav"


_AnyAgent = (
    NestedAgent[LlmConfig]
    | NestedAgent[ScriptedGraph]
    | NestedAgent[GraphConfig]
    | FlatAgent
    | ScriptedGraph
    | GraphConfig
    | OtherAgent
)


class ToolsConfig(Part):
    llm_agent: Annotated[SerializeAsAny[Part], shaped(_agent_shape), DescribedAs(_AnyAgent)] | None = None
    synthesizer: Synthesizer | None = None
    transcriber: Transcriber | None = None
    input: Handler | None = None
    output: Handler | None = None
    api_tools: ApiTools | None = None


class Toolchain(Part):
    execution: Literal["parallel", "sequential"] = "parallel"
    pipelines: Annotated[list[list[Name]], Field(max_length=20)]


TaskType = Literal["conversation", "extraction", "summarization", "webhook", "notification"]


class Task(Part):
    task_type: TaskType = "conversation"
    toolchain: Toolchain | None = None
    tools_config: ToolsConfig | None = None
    task_config: TaskConfig | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.task_type == "conversation":
            refuse(self._missing())
            self.task_config = self.task_config or TaskConfig()
            assert self.tools_config is not None
            self.tools_config.input = self.tools_config.input or Handler()
            self.tools_config.output = self.tools_config.output or Handler()
        if self.toolchain is None:
            talks = self.task_type == "conversation"
            pipeline = ["transcriber", "llm", "synthesizer"] if talks else ["llm"]
            self.toolchain = Toolchain(pipelines=[pipeline])
        return self

    def _missing(self) -> Problems:
        if self.tools_config is None:
            yield ("tools_config",), "is required for a conversation"
            return
        for part in ("llm_agent", "synthesizer", "transcriber"):
            if getattr(self.tools_config, part) is None:
                yield ("tools_config", part), "is required for a conversation"


class IngestSource(Part):
    source_type: Literal["api", "csv", "google_sheet"]
    source_url: str | None = None
    source_auth_token: str | None = None
    source_name: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needs = {
            "api": ("source_url", "source_auth_token"),
            "csv": ("source_name",),
            "google_sheet": ("source_name", "source_url"),
        }[self.source_type]
        missing = [key for key in needs if not getattr(self, key)]
        refuse(((key,), f"is required for source_type {self.source_type}") for key in missing)
        return self


class Guardrails(Part):
    """From the start's full hour until before the end's, by the clock of who is called; over midnight where the end is
    the smaller, at any hour where both are the same."""

    call_start_hour: Annotated[Whole, Field(ge=0, le=23)]
    call_end_hour: Annotated[Whole, Field(ge=0, le=23)]


class AgentConfig(Part):
    agent_name: Name
    agent_welcome_message: Text | None = None
    agent_type: Name = "other"
    webhook_url: Url | None = None
    tasks: Annotated[list[Task], Field(min_length=1, max_length=20)]
    ingest_source_config: IngestSource | None = None
    calling_guardrails: Guardrails | None = None
    dispositions: Any = None
    gpt_assistants: Any = None


class Prompt(Part):
    system_prompt: Text | None = None


class AgentRequest(Part):
    """Body of POST and PUT."""

    agent_config: AgentConfig
    agent_prompts: Annotated[dict[str, Prompt], Field(max_length=50)]


# Keys that GET adds to the definition; a client that sends back what it got must not store them.
_RESPONSE_KEYS = {"id", "agent_status", "created_at", "updated_at", "agent_prompts"}


def read(body: Any) -> Definition:
    """Validate the body of POST or PUT and fill in the defaults. Raises InvalidInput."""
    request = check(AgentRequest, body, documented=_documented)
    dumped = request.model_dump(mode="json", include={"agent_config", "agent_prompts"})
    config = {key: value for key, value in dumped["agent_config"].items() if key not in _RESPONSE_KEYS}
    return Definition(config, dumped["agent_prompts"])


def _documented(error: ErrorDetails) -> str | None:
    match error["loc"]:
        case ("agent_config", "tasks") if error["type"] == "missing":
            return "tasks is required"
        case ("agent_config", "tasks", _, "toolchain", "pipelines", *inner) if len(inner) < 2:
            return "toolchain.pipelines must be array of arrays" if error["type"] in _NOT_NESTED else None
    return None


_NOT_NESTED = ("missing", "list_type")

_PATCHED = (
    "agent_name",
    "agent_welcome_message",
    "webhook_url",
    "ingest_source_config",
    "calling_guardrails",
)


def patch(definition: Definition, body: Mapping[str, Any]) -> Definition:
    """Apply the attributes that PATCH honours; others are ignored. Raises InvalidInput as `read` does."""
    changes = _object(body, "agent_config")
    config = definition.config | {key: changes[key] for key in _PATCHED if key in changes}
    config["tasks"] = [_patched_task(task, changes) for task in config["tasks"]]
    prompts = definition.prompts | _object(body, "agent_prompts")
    return read({"agent_config": config, "agent_prompts": prompts})


def _patched_task(task: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    if task["task_type"] != "conversation":
        return task
    tools = dict(task["tools_config"])
    if "synthesizer" in changes:
        tools["synthesizer"] = changes["synthesizer"]
    if provider := changes.get("telephony_provider"):
        handler = {"provider": provider, "format": "ulaw" if provider == "sip-trunk" else "wav"}
        tools |= {"input": tools["input"] | handler, "output": tools["output"] | handler}
    return task | {"tools_config": tools}


class AgentPatch(Part):
    """Body of PATCH."""

    agent_config: dict[str, Any] | None = None
    agent_prompts: dict[str, Any] | None = None


def _object(body: Mapping[str, Any], key: str) -> dict[str, Any]:
    value: dict[str, Any] | None = getattr(check(AgentPatch, body), key)
    return value or {}
