"""Definitions: what is refused and how, what is filled in, what PATCH may change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.agents.definition import patch, read
from ringback.agents.validation import InvalidInput
from tests.support import agent_definitions as bodies
from tests.support.agent_definitions import task

TASK = "agent_config.tasks[0]"


def problems(body: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as refused:
        read(body)
    return {problem.path: problem.message for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "agent_config is required"),
        ({"agent_config": None, "agent_prompts": {}}, "agent_config is required"),
        ({"agent_config": {"agent_name": "A"}, "agent_prompts": {}}, "tasks is required"),
        ([], "the body must be an object"),
    ],
)
def test_documented_messages_come_verbatim(body: Any, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(body)
    assert str(refused.value) == message


@pytest.mark.parametrize("pipelines", ["llm", ["llm"], [["llm"], "llm"], {"a": []}, None])
def test_pipelines_that_are_not_arrays_of_arrays(pipelines: Any) -> None:
    body = bodies.simple()
    task(body)["toolchain"] = {"execution": "parallel", "pipelines": pipelines}
    found = problems(body)
    assert set(found.values()) == {"toolchain.pipelines must be array of arrays"}
    assert next(iter(found)).startswith(f"{TASK}.toolchain.pipelines")


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        (lambda b: b["agent_config"].update(agent_name=3), "agent_config.agent_name", "must be a string"),
        (lambda b: b["agent_config"].update(agent_name=""), "agent_config.agent_name", "must not be empty"),
        (lambda b: b["agent_config"].pop("agent_name"), "agent_config.agent_name", "is required"),
        (lambda b: b["agent_config"].update(tasks=[]), "agent_config.tasks", "must hold at least 1 item(s)"),
        (lambda b: b["agent_config"].update(tasks={}), "agent_config.tasks", "must be an array"),
        (lambda b: b["agent_config"].update(tasks=[1]), TASK, "must be an object"),
        (
            lambda b: b["agent_config"].update(webhook_url="https://x/" + "é" * 1000),
            "agent_config.webhook_url",
            "must be at most 2000 bytes",
        ),
        (
            lambda b: b["agent_config"].update(webhook_url="javascript:alert(1)"),
            "agent_config.webhook_url",
            "must begin with http:// or https://",
        ),
        (
            lambda b: b["agent_config"].update(
                calling_guardrails={"call_start_hour": 9, "call_end_hour": 24}
            ),
            "agent_config.calling_guardrails.call_end_hour",
            "must be at most 23",
        ),
        (
            lambda b: b["agent_config"].update(
                calling_guardrails={"call_start_hour": -1, "call_end_hour": 8}
            ),
            "agent_config.calling_guardrails.call_start_hour",
            "must be at least 0",
        ),
        (
            lambda b: b["agent_config"].update(
                ingest_source_config={"source_type": "api", "source_url": "u"}
            ),
            "agent_config.ingest_source_config.source_auth_token",
            "is required for source_type api",
        ),
        (lambda b: b.update(agent_prompts=None), "agent_prompts", "is required"),
        (
            lambda b: b["agent_prompts"].update(task_1={"system_prompt": 5}),
            "agent_prompts.task_1.system_prompt",
            "must be a string",
        ),
        (
            lambda b: task(b).update(tools_config=None),
            f"{TASK}.tools_config",
            "is required for a conversation",
        ),
        (
            lambda b: task(b)["tools_config"].pop("transcriber"),
            f"{TASK}.tools_config.transcriber",
            "is required for a conversation",
        ),
        (
            lambda b: task(b)["tools_config"]["llm_agent"].update(llm_config="gpt"),
            f"{TASK}.tools_config.llm_agent.llm_config",
            "must be an object",
        ),
        (
            lambda b: task(b)["tools_config"]["llm_agent"]["llm_config"].update(max_tokens=0),
            f"{TASK}.tools_config.llm_agent.llm_config.max_tokens",
            "must be at least 1",
        ),
        (
            lambda b: task(b)["tools_config"]["llm_agent"]["llm_config"].update(model="gpt-5-mini"),
            f"{TASK}.tools_config.llm_agent.llm_config.temperature",
            "must be 1 for gpt-5-mini",
        ),
        (
            lambda b: task(b)["tools_config"]["llm_agent"]["llm_config"].update(reasoning_effort="huge"),
            f"{TASK}.tools_config.llm_agent.llm_config.reasoning_effort",
            "must be one of 'none', 'minimal', 'low', 'medium', 'high' or 'xhigh'",
        ),
        (
            lambda b: task(b).update(task_config={"call_terminate": True}),
            f"{TASK}.task_config.call_terminate",
            "must be a number",
        ),
        (
            lambda b: task(b).update(task_config={"incremental_delay": "soon"}),
            f"{TASK}.task_config.incremental_delay",
            "must be a whole number",
        ),
        (
            lambda b: task(b).update(task_config={"hangup_after_silence": "1e999"}),
            f"{TASK}.task_config.hangup_after_silence",
            "must be a number",
        ),
        (
            lambda b: task(b).update(task_config={"hangup_after_silence": 10**400}),
            f"{TASK}.task_config.hangup_after_silence",
            "must be a number",
        ),
        (
            lambda b: task(b).update(task_config={"hangup_after_silence": "[" * 100_000}),
            f"{TASK}.task_config.hangup_after_silence",
            "must be a number",
        ),
        (
            lambda b: task(b).update(task_config={"voicemail": "yes"}),
            f"{TASK}.task_config.voicemail",
            "must be true or false",
        ),
        (
            lambda b: task(b).update(task_config={"call_hangup_message": {"en": 1}}),
            f"{TASK}.task_config.call_hangup_message",
            "must be a string, or an object of strings by language code",
        ),
    ],
)
def test_a_bad_field_is_named_by_its_path(change: Change, path: str, message: str) -> None:
    body = bodies.simple()
    change(body)
    assert problems(body) == {path: f"{path} {message}"}


def test_all_problems_are_told_at_once() -> None:
    body = bodies.simple()
    body["agent_config"]["agent_name"] = None
    task(body)["task_type"] = "chat"
    task(body)["task_config"]["call_terminate"] = "x"
    assert set(problems(body)) == {
        "agent_config.agent_name",
        f"{TASK}.task_type",
        f"{TASK}.task_config.call_terminate",
    }


def test_defaults_are_filled_in_nested() -> None:
    config = read(bodies.simple()).config
    first = config["tasks"][0]
    assert config["agent_type"] == "other"
    assert first["task_config"]["hangup_after_silence"] == 15
    assert first["task_config"]["incremental_delay"] == 400
    assert first["task_config"]["call_terminate"] == 90
    assert first["task_config"]["inbound_limit"] == -1
    assert first["tools_config"]["llm_agent"]["llm_config"]["max_tokens"] == 100
    assert first["tools_config"]["transcriber"]["endpointing"] == 250
    assert first["tools_config"]["synthesizer"]["buffer_size"] == 250


@pytest.mark.parametrize(("start", "end"), [(9, 17), (21, 6), (0, 23), (8, 8), ("21", "6")])
def test_calling_hours_may_go_over_midnight(start: int | str, end: int | str) -> None:
    body = bodies.simple()
    body["agent_config"]["calling_guardrails"] = {"call_start_hour": start, "call_end_hour": end}
    kept = {"call_start_hour": int(start), "call_end_hour": int(end)}
    assert read(body).config["calling_guardrails"] == kept


def test_the_flat_form_stays_flat_with_its_own_default() -> None:
    agent = read(bodies.flat()).config["tasks"][0]["tools_config"]["llm_agent"]
    assert "llm_config" not in agent
    assert agent["max_tokens"] == 350


def test_the_flat_form_may_name_its_type() -> None:
    body = bodies.flat()
    task(body)["tools_config"]["llm_agent"]["agent_type"] = "simple_llm_agent"
    agent = read(body).config["tasks"][0]["tools_config"]["llm_agent"]
    assert (agent["agent_type"], agent["max_tokens"]) == ("simple_llm_agent", 350)
    task(body)["tools_config"]["llm_agent"] = {"agent_type": "simple_llm_agent"}
    assert list(problems(body)) == [f"{TASK}.tools_config.llm_agent.llm_config"]


def test_numbers_in_strings_become_numbers_and_null_the_default() -> None:
    body = bodies.simple()
    task(body)["task_config"] = {"call_terminate": "120", "incremental_delay": "50", "backchanneling": None}
    filled = read(body).config["tasks"][0]["task_config"]
    assert repr((filled["call_terminate"], filled["incremental_delay"])) == "(120, 50)"
    assert filled["backchanneling"] is False


def test_other_agent_types_and_tasks_are_kept_as_they_came() -> None:
    body = bodies.simple()
    multi = {"agent_type": "multiagent", "llm_config": {"agent_map": {"a": {"x": 1}}}, "more": [None]}
    task(body)["tools_config"]["llm_agent"] = multi
    summary = {"task_type": "summarization", "tools_config": {"llm_agent": {"provider": "openai"}}}
    body["agent_config"]["tasks"].append(summary)
    tasks = read(body).config["tasks"]
    assert tasks[0]["tools_config"]["llm_agent"] == multi
    assert tasks[1]["toolchain"]["pipelines"] == [["llm"]]
    assert tasks[1]["task_config"] is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
# Never a key that means something: "x-" begins no key of the definition.
UNKNOWN = st.dictionaries(st.text(max_size=6).map("x-{}".format), JSON, max_size=3)


@given(
    st.sampled_from([bodies.simple, bodies.flat, bodies.scripted, lambda: bodies.scripted(nested=False)]),
    st.lists(UNKNOWN, min_size=5, max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_unknown_keys_come_back_and_a_second_put_changes_nothing(
    make: Callable[[], dict[str, Any]], unknown: list[dict[str, Any]]
) -> None:
    body = make()
    first = task(body)
    places = [
        body["agent_config"],
        first,
        first["tools_config"]["llm_agent"],
        first["tools_config"]["synthesizer"]["provider_config"],
        first["task_config"],
    ]
    for place, extra in zip(places, unknown, strict=True):
        place.update(extra)
    once = read(body)
    kept = once.config["tasks"][0]
    for place, extra in zip(
        [
            once.config,
            kept,
            kept["tools_config"]["llm_agent"],
            kept["tools_config"]["synthesizer"]["provider_config"],
            kept["task_config"],
        ],
        unknown,
        strict=True,
    ):
        assert {key: place[key] for key in extra} == extra
    answered = once.config | {"id": "1", "agent_status": "processed", "agent_prompts": once.prompts}
    answered |= {"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z"}
    assert read({"agent_config": answered, "agent_prompts": once.prompts}) == once


def test_patch_changes_what_it_honours_and_ignores_the_rest() -> None:
    before = read(bodies.scripted())
    after = patch(
        before,
        {
            "agent_config": {
                "agent_name": "Robin",
                "agent_type": "ignored",
                "tasks": "ignored",
                "synthesizer": {"provider": "polly", "provider_config": {"voice": "Matthew"}},
                "telephony_provider": "sip-trunk",
                "webhook_url": "https://example.net/hook",
            },
            "agent_prompts": {"task_2": {"system_prompt": "new"}},
            "nonsense": 1,
        },
    )
    assert after.config["agent_name"] == "Robin"
    assert after.config["agent_type"] == "other"
    assert after.config["webhook_url"] == "https://example.net/hook"
    tools = after.config["tasks"][0]["tools_config"]
    assert tools["synthesizer"]["provider"] == "polly"
    assert tools["input"] == tools["output"] == {"provider": "sip-trunk", "format": "ulaw"}
    assert after.prompts == before.prompts | {"task_2": {"system_prompt": "new"}}
    assert patch(before, {}) == before


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"agent_config": []}, "agent_config"),
        ({"agent_prompts": "x"}, "agent_prompts"),
        ({"agent_config": {"agent_name": None}}, "agent_config.agent_name"),
        (
            {"agent_config": {"synthesizer": {"provider": "polly"}}},
            f"{TASK}.tools_config.synthesizer.provider_config",
        ),
        ({"agent_config": {"telephony_provider": 7}}, f"{TASK}.tools_config.input.provider"),
        ([], ""),
    ],
)
def test_a_bad_patch_is_refused(body: Any, path: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        patch(read(bodies.simple()), body)
    assert refused.value.problems[0].path == path
