"""The follow-up tasks of a definition: extraction, summarization, webhook."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from ringback.agents.chat import ToolSpec
from ringback.agents.compile import chat_settings, fallback_of
from ringback.agents.definition import AgentConfig, Definition, LlmConfig, NestedAgent, Task
from ringback.agents.followup import Extraction, FollowUps, Summarization
from ringback.agents.plan import ChatPlan
from ringback.agents.storable import read_json
from ringback.agents.tools import HttpTool
from ringback.agents.validation import InvalidInput, Part, check

SCRIPTED: Final = "scripted"
LEAST_TOKENS: Final = 4000
"""An answer may be so long, whatever `max_tokens` says: stored definitions hold a limit that is meant for speech."""
_WEBHOOK_TIMEOUT_S: Final = 10.0


def compile_follow_ups(definition: Definition) -> FollowUps:
    """What is to be done after a call of a stored definition; a task that cannot be done is a note."""
    try:
        config = check(AgentConfig, definition.config)
    except InvalidInput as error:  # stored by a version that allowed more
        return FollowUps(notes=(str(error),))
    talks = next((task for task in config.tasks if task.task_type == "conversation"), None)
    llm = _llm(talks) if talks else None
    own = _model(llm, "")
    found = FollowUps(model=own, language=_language(talks) if talks else "en")
    for number, task in enumerate(config.tasks, 1):
        prompt = definition.prompts.get(f"task_{number}", {}).get("system_prompt") or ""
        found = _with_task(found, number, task, prompt, config.webhook_url)
    return _of_the_conversation(found, llm, own) if llm else found


def _with_task(found: FollowUps, number: int, task: Task, prompt: str, agents_url: str | None) -> FollowUps:
    """A task that names no language model is for the conversation's."""
    llm = _llm(task)
    model = _model(llm, prompt) if llm else found.model and replace(found.model, system_prompt=prompt)
    match task.task_type:
        case "conversation":
            return found
        case "extraction":
            return replace(found, extractions=(*found.extractions, _extraction(llm, model, prompt)))
        case "summarization" if found.summarization is None:
            details = (llm.summarization_details if llm else None) or ""
            return replace(found, summarization=Summarization(model, details))
        case "webhook":
            return _with_webhook(found, task, agents_url)
        case other:
            return replace(found, notes=(*found.notes, f"task {number} ({other}) is not done"))


def _of_the_conversation(found: FollowUps, llm: LlmConfig, model: ChatPlan | None) -> FollowUps:
    """The conversation's own model may hold the details too, where no task does."""
    if not found.extractions and llm.extraction_details:
        found = replace(found, extractions=(_extraction(llm, model, ""),))
    if found.summarization is None and llm.summarization_details:
        found = replace(found, summarization=Summarization(model, llm.summarization_details))
    return found


def _llm(task: Task) -> LlmConfig | None:
    agent: Part | None = task.tools_config.llm_agent if task.tools_config else None
    config = agent.llm_config if isinstance(agent, NestedAgent) else agent
    return config if isinstance(config, LlmConfig) else None


def _model(llm: LlmConfig | None, prompt: str) -> ChatPlan | None:
    if llm is None or llm.provider == SCRIPTED:
        return None
    settings = chat_settings(llm)
    extra = {key: value for key, value in settings.extra.items() if key != "stop"}
    longer = replace(settings, max_tokens=max(settings.max_tokens, LEAST_TOKENS), extra=extra)
    return ChatPlan(llm.provider, longer, llm.base_url, prompt, fallback_of(llm))


def _language(task: Task) -> str:
    transcriber = task.tools_config.transcriber if task.tools_config else None
    return transcriber.language if transcriber else "en"


def _extraction(llm: LlmConfig | None, model: ChatPlan | None, prompt: str) -> Extraction:
    """Our additions to `extraction_details` are `extraction_json` and `extraction_template_id`."""
    more: Mapping[str, Any] = (llm.model_extra or {}) if llm else {}
    details = (llm.extraction_details if llm else None) or ""
    template = more.get("extraction_template_id")
    schema = _schema(more.get("extraction_json")) or _schema(details)
    if not details and schema is None and template is None:
        details = prompt  # the vendor's engine has the fields there
    return Extraction(model, details, schema, template if isinstance(template, str) and template else None)


def _schema(given: Any) -> Mapping[str, Any] | None:
    """A JSON schema, its text, or an object of descriptions by name; None for anything else."""
    value = given
    if isinstance(given, str):
        try:
            value = read_json(given) if given.lstrip().startswith("{") else None
        except ValueError:
            return None
    if not isinstance(value, dict) or not value:
        return None
    if "properties" in value or "$ref" in value or value.get("type") in _KINDS:
        return value
    described = {name: text if isinstance(text, str) else json.dumps(text) for name, text in value.items()}
    return {"type": "object", "properties": {name: {"description": t} for name, t in described.items()}}


_KINDS: Final = ("object", "array", "string", "number", "integer", "boolean", "null")


def _with_webhook(found: FollowUps, task: Task, agents_url: str | None) -> FollowUps:
    """The URL is the task's, in one of the places where clients put it, else the agent's."""
    url, more = next(_urls(task), (agents_url or "", {}))
    if not url.startswith(("http://", "https://")):
        return replace(found, notes=(*found.notes, "a webhook task has no URL: nobody is told"))
    given = more.get("headers")
    headers = {str(k): str(v) for k, v in given.items() if v is not None} if isinstance(given, dict) else {}
    hook = HttpTool(
        ToolSpec("webhook", "", {}),
        url,
        "POST",
        param=more.get("param") or None,
        headers=headers,
        api_token=str(more.get("api_token") or ""),
        timeout_s=_WEBHOOK_TIMEOUT_S,
    )
    return replace(found, webhooks=(*found.webhooks, hook))


def _urls(task: Task) -> Iterator[tuple[str, Mapping[str, Any]]]:
    tools = task.tools_config.api_tools if task.tools_config else None
    if tools is None:
        return
    for name in ("webhookURL", "webhook_url"):
        if isinstance(url := (tools.model_extra or {}).get(name), str) and url:
            yield url, {}
    for request in (tools.tools_params or {}).values():
        if request.url:
            yield request.url, request.model_dump()
