"""Follow-up tasks of definitions, compiled."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.compile_followup import LEAST_TOKENS, compile_follow_ups
from ringback.agents.definition import Definition, read
from ringback.agents.followup import FollowUps
from tests.support import agent_definitions as bodies

DETAILS = "user_interested : whether the user is interested\nbudget : the budget"


def with_tasks(*tasks: dict[str, Any], prompts: dict[str, Any] | None = None, **agent: Any) -> Definition:
    body = bodies.simple()
    body["agent_config"] |= agent
    body["agent_config"]["tasks"] += tasks
    body["agent_prompts"] |= prompts or {}
    return read(body)


def llm(**config: Any) -> dict[str, Any]:
    return {"llm_agent": {"agent_type": "simple_llm_agent", "llm_config": {"model": "tiny", **config}}}


def extraction(**config: Any) -> dict[str, Any]:
    return {"task_type": "extraction", "tools_config": llm(request_json=True, **config)}


def test_an_agent_without_tasks() -> None:
    found = compile_follow_ups(with_tasks())
    assert (found.extractions, found.summarization, found.webhooks, found.notes) == ((), None, (), ())
    assert found.model is not None
    assert (found.model.provider, found.model.chat.model, found.language) == ("openai", "gpt-4.1-mini", "en")


def test_an_extraction_in_lines() -> None:
    prompts = {"task_2": {"system_prompt": "Read with care."}}
    [found] = compile_follow_ups(
        with_tasks(extraction(extraction_details=DETAILS), prompts=prompts)
    ).extractions
    assert (found.details, found.schema, found.template_id) == (DETAILS, None, None)
    assert found.model is not None
    assert (found.model.chat.model, found.model.system_prompt) == ("tiny", "Read with care.")
    assert found.model.chat.max_tokens == LEAST_TOKENS  # what is stored is the default for speech


@pytest.mark.parametrize("nested", [True, False])
def test_both_spellings_of_a_language_model(nested: bool) -> None:
    task = extraction(extraction_details=DETAILS, base_url="http://h/v1", max_tokens=9000)
    if not nested:
        task["tools_config"]["llm_agent"] = task["tools_config"]["llm_agent"]["llm_config"]
    [found] = compile_follow_ups(with_tasks(task)).extractions
    assert found.model is not None
    assert (found.model.base_url, found.model.chat.max_tokens, found.details) == (
        "http://h/v1",
        9000,
        DETAILS,
    )


SCHEMA = {"type": "object", "properties": {"a": {"type": "number"}}}


@pytest.mark.parametrize(
    ("config", "schema"),
    [
        ({"extraction_details": '{"type": "object", "properties": {"a": {"type": "number"}}}'}, SCHEMA),
        ({"extraction_json": SCHEMA, "extraction_details": "ignored : by it"}, SCHEMA),
        ({"extraction_json": '{"a": "the first", "b": {"x": 1}}'}, {
            "type": "object",
            "properties": {"a": {"description": "the first"}, "b": {"description": '{"x": 1}'}},
        }),
        ({"extraction_details": "{not JSON"}, None),
        ({"extraction_details": "{}"}, None),
    ],
)  # fmt: skip
def test_schemas(config: dict[str, Any], schema: Any) -> None:
    [found] = compile_follow_ups(with_tasks(extraction(**config))).extractions
    assert found.schema == schema


def test_a_template_and_the_prompt_of_the_vendors_engine() -> None:
    tasks = [extraction(extraction_template_id="t1"), extraction()]
    prompts = {"task_3": {"system_prompt": "mood : how the user felt"}}
    by_template, by_prompt = compile_follow_ups(with_tasks(*tasks, prompts=prompts)).extractions
    assert (by_template.template_id, by_template.details) == ("t1", "")
    assert by_prompt.details == "mood : how the user felt"


def test_a_summary_and_what_is_not_done() -> None:
    summary = {"task_type": "summarization", "tools_config": llm(summarization_details="In one sentence.")}
    found = compile_follow_ups(with_tasks(summary, summary, {"task_type": "notification"}))
    assert found.summarization is not None
    assert found.summarization.details == "In one sentence."
    assert found.notes == ("task 3 (summarization) is not done", "task 4 (notification) is not done")


def test_without_a_language_model() -> None:
    tasks = [
        {"task_type": "extraction", "tools_config": {}},
        {"task_type": "summarization"},
        extraction(provider="scripted", extraction_details=DETAILS),
    ]
    body = bodies.scripted()
    body["agent_config"]["tasks"] += tasks
    found = compile_follow_ups(read(body))
    assert found.model is None
    assert [one.model for one in found.extractions] == [None, None]
    assert found.summarization is not None
    assert found.summarization.model is None


def test_a_task_without_a_language_model_asks_the_conversations() -> None:
    prompts = {"task_2": {"system_prompt": "mood : how the user felt"}}
    [found] = compile_follow_ups(with_tasks({"task_type": "extraction"}, prompts=prompts)).extractions
    assert found.model is not None
    assert (found.model.chat.model, found.model.system_prompt) == ("gpt-4.1-mini", "mood : how the user felt")
    assert found.details == "mood : how the user felt"


def test_details_of_the_conversation_hold_where_no_task_has_any() -> None:
    body = bodies.simple()
    config = body["agent_config"]["tasks"][0]["tools_config"]["llm_agent"]["llm_config"]
    config |= {"extraction_details": DETAILS, "summarization_details": "Short."}
    found = compile_follow_ups(read(body))
    [own] = found.extractions
    assert own.details == DETAILS
    assert own.model is not None
    assert own.model.system_prompt == ""  # that of the conversation is not for it
    assert found.summarization is not None
    body["agent_config"]["tasks"].append(extraction(extraction_details="other : of the task"))
    assert [one.details for one in compile_follow_ups(read(body)).extractions] == ["other : of the task"]


@pytest.mark.parametrize(
    "api_tools",
    [
        {"webhookURL": "https://own.example/hook"},
        {"webhook_url": "https://own.example/hook"},
        {"tools_params": {"webhook": {"url": "https://own.example/hook"}}},
    ],
)
def test_places_of_a_webhooks_url(api_tools: dict[str, Any]) -> None:
    task = {"task_type": "webhook", "tools_config": {"api_tools": api_tools}}
    [hook] = compile_follow_ups(with_tasks(task, webhook_url="https://agent.example/")).webhooks
    assert (hook.url, hook.method) == ("https://own.example/hook", "POST")


def test_a_webhooks_headers_and_the_agents_url() -> None:
    params = {
        "url": "https://own.example/",
        "api_token": "Bearer t",
        "headers": {"X-A": 1},
        "param": {"k": "v"},
    }
    tasks = [
        {"task_type": "webhook", "tools_config": {"api_tools": {"tools_params": {"w": params}}}},
        {"task_type": "webhook"},
    ]
    own, agents = compile_follow_ups(with_tasks(*tasks, webhook_url="https://agent.example/")).webhooks
    assert (own.api_token, own.headers, own.param) == ("Bearer t", {"X-A": "1"}, {"k": "v"})
    assert (agents.url, agents.headers) == ("https://agent.example/", {})
    nobody = compile_follow_ups(with_tasks({"task_type": "webhook"}))
    assert (nobody.webhooks, nobody.notes) == ((), ("a webhook task has no URL: nobody is told",))


def test_a_definition_that_is_not_allowed_any_more() -> None:
    stored = with_tasks()
    del stored.config["tasks"]
    assert compile_follow_ups(stored) == FollowUps(notes=("tasks is required",))
