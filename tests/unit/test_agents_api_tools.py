"""`api_tools` of definitions: both spellings, what is refused, what they compile to."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from ringback.agents import plan
from ringback.agents.chat import ToolSpec
from ringback.agents.compile import compile_plan
from ringback.agents.definition import Definition, read
from ringback.agents.tools import EndCall, HttpTool, TransferCall
from ringback.agents.validation import InvalidInput
from tests.support import agent_definitions as bodies
from tests.support.agent_definitions import task

SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
REQUEST = {
    "url": "https://crm.example/slots",
    "method": "POST",
    "param": '{"day": "%(day)s", "n": %(n)i}',
    "api_token": "Bearer tok",
    "headers": {"X-Kind": "a", "X-Number": 5, "X-None": None},
    "pre_call_message": {"en": "One moment.", "de": "Moment."},
    "pre_call_webhook_url": "https://crm.example/hook",
    "pre_call_webhook_param": {"to": "%(to_number)s"},
    "timeout_ms": 2500,
    "scope": "node",
    "nodes": ["a", "b"],
    "unknown": [1],
}
COMPILED = HttpTool(
    spec=ToolSpec("slots", "Free times.", SCHEMA),
    url="https://crm.example/slots",
    method="POST",
    param='{"day": "%(day)s", "n": %(n)i}',
    headers={"X-Kind": "a", "X-Number": "5"},
    api_token="Bearer tok",
    pre_call_message="One moment.",
    webhook_url="https://crm.example/hook",
    webhook_param={"to": "%(to_number)s"},
    timeout_s=2.5,
    nodes=frozenset({"a", "b"}),
)
TOOL: dict[str, Any] = {
    "name": "slots",
    "description": "Free times.",
    "parameters": SCHEMA,
    "key": "custom_task",
}
WRAPPED: dict[str, Any] = {
    "type": "function",
    "function": {"name": "slots", "description": "Free times.", "parameters": SCHEMA, "strict": True},
}


def stored(api_tools: Any, **config: Any) -> Definition:
    body = bodies.simple()
    task(body)["tools_config"]["api_tools"] = deepcopy(api_tools)
    body["agent_config"] |= config
    return read(body)


def compiled(api_tools: Any, **config: Any) -> plan.Plan:
    return compile_plan("a1", stored(api_tools, **config))


def returned(definition: Definition) -> dict[str, Any]:
    api_tools: dict[str, Any] = definition.config["tasks"][0]["tools_config"]["api_tools"]
    return api_tools


SPELLINGS: dict[str, Any] = {
    "plain": {"tools": [TOOL], "tools_params": {"slots": REQUEST}},
    "without a key": {"tools": [TOOL | {"key": None}], "tools_params": {"slots": REQUEST}},
    "OpenAI's": {"tools": [WRAPPED], "tools_params": {"slots": REQUEST}},
    "a JSON text": {"tools": json.dumps([TOOL]), "tools_params": {"slots": REQUEST}},
    "OpenAI's as a JSON text": {"tools": json.dumps([WRAPPED]), "tools_params": {"slots": REQUEST}},
    "inline": {"tools": [TOOL | {"value": REQUEST}]},
    "inline in OpenAI's": {"tools": [WRAPPED | {"value": REQUEST}], "tools_params": None},
    "both": {"tools": [TOOL | {"value": REQUEST | {"url": "http://x/"}}], "tools_params": {"slots": REQUEST}},
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_means_the_same(spelling: str) -> None:
    assert compiled(SPELLINGS[spelling]).tools == {"slots": COMPILED}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_was_sent_comes_back(spelling: str) -> None:
    sent = SPELLINGS[spelling]
    first = stored(sent)
    assert _holds(returned(first), sent)
    again = read({"agent_config": first.config, "agent_prompts": first.prompts})
    assert again == first


def _holds(whole: Any, part: Any) -> bool:
    """Whether `whole` has all of `part`, defaults and null aside."""
    if isinstance(part, dict):
        return all(_holds(whole.get(key), value) for key, value in part.items())
    if isinstance(part, list):
        return len(whole) == len(part) and all(map(_holds, whole, part))
    return bool(whole == part)


def test_the_least_that_can_be_said() -> None:
    tools = compiled({"tools": [{"name": "ping"}], "tools_params": {"ping": {"url": "http://h/"}}}).tools
    spec = ToolSpec("ping", "ping", {"type": "object", "properties": {}})
    assert tools == {"ping": HttpTool(spec, "http://h/", "GET", timeout_s=10.0)}


def test_no_functions() -> None:
    for nothing in (None, {}, {"tools": []}, {"tools": ""}, {"tools": None, "tools_params": {}}):
        assert compiled(nothing).tools == {}


def test_the_agents_webhook_is_told_where_the_function_names_none() -> None:
    request = {"url": "http://h/", "pre_call_webhook_param": "{}"}
    api_tools = {"tools": [{"name": "ping"}], "tools_params": {"ping": request}}
    tool = compiled(api_tools, webhook_url="https://hook.example/").tools["ping"]
    assert isinstance(tool, HttpTool)
    assert (tool.webhook_url, tool.webhook_param) == ("https://hook.example/", "{}")
    del request["pre_call_webhook_param"]
    tool = compiled(api_tools, webhook_url="https://hook.example/").tools["ping"]
    assert isinstance(tool, HttpTool)
    assert tool.webhook_url == ""


def test_end_call() -> None:
    tools = compiled(
        {"tools": [{"name": "end_call"}, {"name": "bye", "key": "end_call", "description": "Bye."}]}
    )
    end, bye = tools.tools["end_call"], tools.tools["bye"]
    assert isinstance(end, EndCall)
    assert isinstance(bye, EndCall)
    assert "goodbye" in end.spec.description
    assert bye.spec.description == "Bye."


@pytest.mark.parametrize(
    "tool",
    [
        {"name": "book", "key": "calendar_book"},
        {"name": "check_availability_of_slots"},
    ],
)
def test_what_is_not_there_yet_is_kept_and_not_offered(tool: dict[str, Any]) -> None:
    param = '{"call_transfer_number": "+19876543210","call_sid": "%(call_sid)s"}'
    params = {tool["name"]: {"method": "POST", "url": None, "api_token": None, "param": param}}
    api_tools = {"tools": [tool], "tools_params": params}
    assert _holds(returned(stored(api_tools)), api_tools)
    made = compiled(api_tools)
    assert made.tools == {}
    assert made.dialogue.notes == (
        f"the function {tool['name']} is not offered: there is no {_kind(tool)} yet",
    )


TRANSFER = {
    "method": "POST",
    "url": None,
    "api_token": None,
    "param": '{"call_transfer_number": "+19876543210","call_sid": "%(call_sid)s"}',
}


@pytest.mark.parametrize("named", [{"key": "transfer_call"}, {}])
def test_transfer_call_as_the_vendor_has_it(named: dict[str, Any]) -> None:
    tool = {"name": "transfer_call_support", "description": "To support.", **named}
    api_tools = {"tools": [tool], "tools_params": {"transfer_call_support": TRANSFER}}
    assert _holds(returned(stored(api_tools)), api_tools)
    made = compiled(api_tools)
    transfer = made.tools["transfer_call_support"]
    assert isinstance(transfer, TransferCall)
    assert (transfer.to_number, transfer.blind, transfer.whisper) == ("+19876543210", False, "")
    assert (transfer.spec.description, transfer.ring_timeout_s) == ("To support.", 30.0)
    assert made.dialogue.notes == ()


def test_settings_of_a_transfer() -> None:
    asked = {
        "transfer_type": "blind",
        "transfer_timeout_s": 12,
        "transfer_whisper": {"en": "%(name)s calls. %(summary)s", "de": "%(name)s ruft an."},
        "pre_call_message": "I connect you.",
        "pre_call_webhook_url": "https://hook.example/",
    }
    api_tools = {"tools": [{"name": "transfer_call"}], "tools_params": {"transfer_call": TRANSFER | asked}}
    transfer = compiled(api_tools).tools["transfer_call"]
    assert isinstance(transfer, TransferCall)
    assert (transfer.blind, transfer.ring_timeout_s) == (True, 12)
    assert transfer.whisper == "%(name)s calls. %(summary)s"
    assert (transfer.pre_call_message, transfer.webhook_url) == ("I connect you.", "https://hook.example/")
    assert transfer.spec.parameters["required"] == ["summary"]
    assert "summary" in transfer.spec.parameters["properties"]


def test_a_transfer_to_nobody_is_not_offered() -> None:
    made = compiled({"tools": [{"name": "transfer_call"}]})
    assert made.tools == {}
    [note] = made.dialogue.notes
    assert note == "the function transfer_call is not offered: its param has no call_transfer_number"


def _kind(tool: dict[str, Any]) -> str:
    return str(tool.get("key") or tool["name"])


def _tool(**keys: Any) -> dict[str, Any]:
    return {"tools": [TOOL | keys], "tools_params": {"slots": REQUEST}}


def _request(**keys: Any) -> dict[str, Any]:
    return {"tools": [TOOL], "tools_params": {"slots": REQUEST | keys}}


WRONG: list[tuple[Any, str]] = [
    ([], "api_tools must be an object"),
    ({"tools": {}}, "tools must be an array"),
    ({"tools": "["}, "tools must be an array, or the JSON text of one"),
    ({"tools": "{}"}, "tools must be an array"),
    ({"tools": "[" * 100_000}, "tools must be an array, or the JSON text of one"),
    (_request(param='{"a": ' * 100_000), r"tools_params\.slots\.param must be an object, or the JSON text"),
    ({"tools": ["x"]}, r"tools\[0\] must be an object"),
    ({"tools": '[{"key": "custom_task"}]'}, r"tools\[0\]\.name is required"),
    (_tool(name="free slots"), r"tools\[0\]\.name must match"),
    (_tool(name="x" * 65), r"tools\[0\]\.name must match"),
    (_tool(name=5), r"tools\[0\]\.name must be a string"),
    (_tool(parameters=[]), r"tools\[0\]\.parameters must be an object"),
    (_tool(parameters={"type": "array"}), r"tools\[0\]\.parameters\.type must be object"),
    (_tool(parameters={"properties": [1]}), r"tools\[0\]\.parameters\.properties must be an object"),
    (_tool(parameters={"properties": {"a": 1}}), r"tools\[0\]\.parameters\.properties must be an object"),
    (_tool(parameters={"required": "day"}), r"tools\[0\]\.parameters\.required must be an array"),
    ({"tools": [{"type": "fun", "function": {"name": "a"}}]}, r"tools\[0\]\.type must be one of 'function'"),
    ({"tools": [{"type": "function", "function": {}}]}, r"tools\[0\]\.function\.name is required"),
    ({"tools": [TOOL, TOOL], "tools_params": {"slots": REQUEST}}, r'tools\[1\]\.name is used twice: "slots"'),
    ({"tools": [TOOL]}, r"tools_params\.slots\.url is required"),
    ({"tools": [TOOL], "tools_params": {"slot": REQUEST}}, r"tools_params\.slots\.url is required"),
    ({"tools": [TOOL | {"value": {"method": "GET"}}]}, r"tools\[0\]\.value\.url is required"),
    (_request(url=""), r"tools_params\.slots\.url is required"),
    (_request(url="ftp://h/"), r"tools_params\.slots\.url must begin with http"),
    (_request(method="DELETE"), r"tools_params\.slots\.method must be GET or POST"),
    (_request(param="{"), r"tools_params\.slots\.param must be an object, or the JSON text of one"),
    (_request(param="[]"), r"tools_params\.slots\.param must be an object, or the JSON text of one"),
    (_request(param=5), r"tools_params\.slots\.param must be an object, or the JSON text of one"),
    (_request(pre_call_webhook_param="{"), r"tools_params\.slots\.pre_call_webhook_param must be"),
    (_request(url=5), r"tools_params\.slots\.url must begin with http"),
    (_request(url="http://h/" + "x" * 2000), r"tools_params\.slots\.url must be at most 2000 characters"),
    (_request(headers=["a"]), r"tools_params\.slots\.headers must be an object of texts"),
    (_request(headers="a"), r"tools_params\.slots\.headers must be an object of texts"),
    (_request(headers={"a": {}}), r"tools_params\.slots\.headers must be an object of texts"),
    (_request(timeout_ms=0), r"tools_params\.slots\.timeout_ms must be at least 1"),
    (_request(timeout_ms=120_001), r"tools_params\.slots\.timeout_ms must be at most 120000"),
    (_request(scope="everywhere"), r"tools_params\.slots\.scope must be one of 'global' or 'node'"),
    (_request(nodes="a"), r"tools_params\.slots\.nodes must be an array"),
    (_request(pre_call_message=5), r"tools_params\.slots\.pre_call_message must be a string"),
]


@pytest.mark.parametrize(("api_tools", "why"), WRONG, ids=[why for _, why in WRONG])
def test_what_is_wrong_is_named_with_its_place(api_tools: Any, why: str) -> None:
    with pytest.raises(InvalidInput, match=rf"agent_config\.tasks\[0\]\.tools_config\.(api_tools\.)?{why}"):
        stored(api_tools)


def test_every_problem_at_once() -> None:
    with pytest.raises(InvalidInput) as raised:
        stored({"tools": [{"name": "a b"}, {}], "tools_params": {"x": {"method": "PUT"}}})
    assert len(raised.value.problems) == 3
