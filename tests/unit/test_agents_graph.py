"""Graphs that cannot be followed are refused at creation, with the path of what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents.definition import read
from ringback.agents.validation import InvalidInput
from tests.support import agent_definitions as bodies
from tests.support.agent_definitions import task

GRAPH = "agent_config.tasks[0].tools_config.llm_agent.llm_config"


def static(name: str, *edges: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "node_type": "static", "static_message": name, "edges": list(edges)} | more


def router(name: str, *edges: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "node_type": "router", "edges": list(edges)} | more


def match(to: str, **condition: Any) -> dict[str, Any]:
    return {"to_node_id": to, "condition_type": "match", "match": condition}


def always(to: str) -> dict[str, Any]:
    return {"to_node_id": to, "condition_type": "unconditional"}


def problems(*nodes: dict[str, Any], start: str = "a", provider: str = "scripted") -> dict[str, str]:
    body = bodies.scripted()
    task(body)["tools_config"]["llm_agent"]["llm_config"] = {
        "provider": provider,
        "agent_information": "",
        "current_node_id": start,
        "nodes": list(nodes),
    }
    with pytest.raises(InvalidInput) as refused:
        read(body)
    found = {problem.path: problem.message for problem in refused.value.problems}
    assert all(path.startswith(GRAPH) for path in found)
    return {path.removeprefix(GRAPH + "."): text.removeprefix(path + " ") for path, text in found.items()}


def test_a_start_that_is_no_node() -> None:
    assert problems(static("a"), start="z") == {"current_node_id": 'names no node: "z"'}


def test_an_edge_to_nowhere_and_an_id_used_twice() -> None:
    found = problems(static("a", match("nowhere", type="yes")), static("a"))
    assert found == {
        "nodes[0].edges[0].to_node_id": 'names no node: "nowhere"',
        "nodes[1].id": 'is used twice: "a"',
    }


@pytest.mark.parametrize(
    ("condition", "path", "message"),
    [
        ({"type": "pattern", "pattern": "("}, "pattern", "is not a regular expression: "),
        ({"type": "pattern", "pattern": "x" * 501}, "pattern", "must be at most 500 characters"),
        ({"type": "keywords"}, "any", "is required"),
        ({"type": "keywords", "any": []}, "any", "must hold at least 1 item(s)"),
        ({"type": "keywords", "any": [""]}, "any[0]", "must not be empty"),
        ({"type": "number", "minimum": 5, "maximum": 4}, "maximum", "must be at least the minimum"),
        ({"type": "number", "digits": 0}, "digits", "must be at least 1"),
        ({"type": "colour"}, "type", "must be one of 'keywords', 'pattern',"),
        ({"type": ["yes"]}, "type", "must be one of 'keywords', 'pattern',"),
        ({}, "type", "is required"),
    ],
)
def test_a_bad_match(condition: dict[str, Any], path: str, message: str) -> None:
    found = problems(static("a", match("a", **condition)))
    assert list(found) == [f"nodes[0].edges[0].match.{path}"]
    assert next(iter(found.values())).startswith(message)


@pytest.mark.parametrize(
    ("edge", "path"),
    [
        ({"to_node_id": "a", "condition_type": "match"}, "match"),
        ({"to_node_id": "a", "condition_type": "expression"}, "expression"),
        (always("a") | {"slot": "x"}, "slot"),
        (match("a", type="yes") | {"slots": {"x": None}}, "slots.x"),
        ({"to_node_id": "a", "condition_type": "event"}, "event_name"),
        ({"to_node_id": "a", "condition_type": "intent"}, "condition_type"),
        ({"to_node_id": "a", "function_name": "has spaces"}, "function_name"),
    ],
)
def test_an_edge_that_does_not_say_when(edge: dict[str, Any], path: str) -> None:
    assert list(problems(static("a", match("a", type="no"), edge))) == [f"nodes[0].edges[1].{path}"]


def test_nodes_that_lack_what_their_type_needs() -> None:
    assert problems(static("a", static_message=""), router("b", prompt="think")) == {
        "nodes[0].static_message": "is required for a static node",
        "nodes[1].prompt": "is not allowed on a router node",
        "nodes[1].edges": "of a router node must hold exactly one unconditional edge",
    }


def test_what_a_router_must_not_have() -> None:
    event = {"to_node_id": "b", "condition_type": "event", "event_name": "paid"}
    more = {"function_call": "book", "repeat_after_silence_seconds": 5}
    assert problems(static("a", always("b")), router("b", event, always("a") | {"priority": 9}, **more)) == {
        "nodes[1].edges[0].condition_type": "must not be event on a router node",
        "nodes[1].function_call": "is not allowed on a router node",
        "nodes[1].repeat_after_silence_seconds": "is not allowed on a router node, which never waits",
    }


def test_functions_of_edges_are_told_apart() -> None:
    edge = {"to_node_id": "a", "condition": "again", "function_name": "again"}
    assert problems(static("a", edge, edge)) == {
        "nodes[0].edges[1].function_name": 'is used twice in the node: "again"'
    }


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"repeat_after_silence_seconds": 0}, "repeat_after_silence_seconds"),
        ({"function_call": ""}, "function_call"),
    ],
)
def test_bad_fields_of_a_node(more: dict[str, Any], path: str) -> None:
    assert list(problems(static("a") | more)) == [f"nodes[0].{path}"]


def test_a_circle_that_never_listens() -> None:
    found = problems(static("a", always("b")), router("b", always("c")), static("c", always("a")))
    assert len(found) == 1
    assert "lead in a circle that never listens" in next(iter(found.values()))


def test_scripted_graphs_have_no_nodes_that_need_a_language_model() -> None:
    found = problems({"id": "a"}, static("b", {"to_node_id": "a", "condition": "they agree"}))
    assert found == {"nodes[0].node_type": "must be static or router with provider scripted"}


def test_a_graph_with_a_language_model_may_have_them() -> None:
    body = bodies.scripted()
    task(body)["tools_config"]["llm_agent"]["llm_config"] = {
        "provider": "openai",
        "agent_information": "A shop.",
        "current_node_id": "a",
        "nodes": [{"id": "a", "prompt": "Sell.", "edges": [{"to_node_id": "a", "condition": "again"}]}],
    }
    filled = read(body).config["tasks"][0]["tools_config"]["llm_agent"]["llm_config"]
    assert filled["model"] == "gpt-4.1-mini"
    assert filled["nodes"][0]["edges"][0]["condition_type"] == "llm"
