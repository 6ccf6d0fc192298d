"""Graphs in the vendor's form: kept as they were sent, and compiled to what a dialogue follows."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.agents import plan
from ringback.agents.chat import ChatSettings
from ringback.agents.compile import compile_plan
from ringback.agents.definition import read
from tests.support import agent_definitions as bodies
from tests.support.agent_definitions import task

GRAPH: dict[str, Any] = {
    "provider": "openai",
    "model": "gpt-4.1",
    "temperature": 0.4,
    "stop": ["x"],
    "agent_information": "You are Neha.",
    "routing_model": "gpt-5-mini",
    "routing_instructions": "Be strict.",
    "routing_reasoning_effort": "minimal",
    "routing_max_tokens": 80,
    "current_node_id": "welcome",
    "context_data": {"shop": "Pune"},
    "variable_types": {"order": "number"},
    "nodes": [
        {
            "id": "welcome",
            "prompt": "Ask for the order.",
            "description": "The beginning.",
            "examples": {"hi": "ऑर्डर नंबर?", "en": ["Your order, please?", "Which order?"]},
            "repeat_after_silence_seconds": 10,
            "position": {"x": 1, "y": 2},
            "edges": [
                {
                    "to_node_id": "the order",
                    "condition": "An order number was said",
                    "parameters": {
                        "order": "number",
                        "gift": "bool",
                        "note": "what they say",
                        "size": {"enum": [1, 2]},
                    },
                },
                {"to_node_id": "the order", "condition": "It was spelt"},
                {
                    "to_node_id": "bye",
                    "condition_type": "llm",
                    "function_name": "leave",
                    "function_description": "Bye.",
                },
                {"to_node_id": "bye", "condition_type": "event", "event_name": "paid", "priority": 3},
                {
                    "to_node_id": "bye",
                    "condition_type": "expression",
                    "expression": {
                        "conditions": [{"variable": "_silence_repeats", "operator": "gte", "value": 2}]
                    },
                },
            ],
        },
        {
            "id": "the order",
            "node_type": "router",
            "description": "Where to.",
            "edges": [{"to_node_id": "bye", "condition_type": "unconditional"}],
        },
        {
            "id": "bye",
            "node_type": "static",
            "static_message": {"en": "Bye.", "hi": "नमस्ते।"},
            "function_call": "log",
        },
    ],
}


def body(**more: Any) -> dict[str, Any]:
    made = bodies.scripted()
    task(made)["tools_config"]["llm_agent"]["llm_config"] = GRAPH | more
    return made


def compiled(language: str = "en", **more: Any) -> plan.GraphPlan:
    made = body(**more)
    task(made)["tools_config"]["transcriber"]["language"] = language
    dialogue = compile_plan("a1", read(made)).dialogue
    assert isinstance(dialogue, plan.GraphPlan)
    return dialogue


def test_what_was_sent_comes_back() -> None:
    kept = read(body()).config["tasks"][0]["tools_config"]["llm_agent"]["llm_config"]

    def holds(stored: Any, sent: Any) -> bool:
        if isinstance(sent, dict):
            return all(key in stored and holds(stored[key], value) for key, value in sent.items())
        if isinstance(sent, list):
            return len(stored) == len(sent) and all(map(holds, stored, sent))
        return bool(stored == sent)

    assert holds(kept, GRAPH)
    again = body()
    task(again)["tools_config"]["llm_agent"]["llm_config"] = kept
    assert read(again).config == read(body()).config


def test_the_graph() -> None:
    graph = compiled()
    assert (graph.start, graph.information, graph.language) == ("welcome", "You are Neha.", "en")
    assert graph.chat is not None
    assert (graph.chat.model, graph.chat.temperature) == ("gpt-4.1", 0.4)
    assert graph.routing == ChatSettings("gpt-5-mini", 80, 1.0, extra={"reasoning_effort": "minimal"})
    assert (graph.routing_instructions, graph.context) == ("Be strict.", {"shop": "Pune"})
    assert (graph.variable_types, graph.notes) == ({"order": "number"}, ())
    node = graph.nodes["welcome"]
    assert (node.kind, node.prompt, node.repeat_after_s) == ("llm", "Ask for the order.", 10)
    assert node.examples == ("Your order, please?", "Which order?")
    assert graph.nodes["the order"].prompt == "Where to."
    assert (graph.nodes["bye"].message, graph.nodes["bye"].function) == ("Bye.", "log")


def test_its_edges() -> None:
    order, spelt, leave, paid, silent = compiled().nodes["welcome"].edges
    assert order.condition == plan.Llm(
        "An order number was said",
        "transition_to_the_order",
        "",
        {
            "order": {"type": "number"},
            "gift": {"type": "boolean"},
            "note": {"type": "string", "description": "what they say"},
            "size": {"enum": [1, 2]},
        },
    )
    assert spelt.condition == plan.Llm("It was spelt", "transition_to_the_order_2")
    assert leave.condition == plan.Llm("", "leave", "Bye.")
    assert paid.condition == plan.Event("paid")
    assert isinstance(silent.condition, plan.Expression)
    assert [edge.priority for edge in (order, spelt, leave, paid, silent)] == [100, 100, 100, 3, 0]


def test_the_agent_s_language_chooses_texts() -> None:
    graph = compiled("hi-IN")
    assert (graph.language, graph.nodes["bye"].message) == ("hi-IN", "नमस्ते।")
    assert graph.nodes["welcome"].examples == ("ऑर्डर नंबर?",)


@pytest.mark.parametrize(
    ("more", "model", "notes"),
    [
        ({"routing_model": None}, "gpt-4.1", 0),
        ({"routing_provider": "openai"}, "gpt-5-mini", 0),
        ({"routing_provider": "groq"}, "gpt-4.1", 1),
        ({"rag_config": {"provider": "lancedb"}}, "gpt-5-mini", 1),
    ],
)
def test_what_is_not_honoured_is_noted(more: dict[str, Any], model: str, notes: int) -> None:
    graph = compiled(**more)
    assert graph.routing is not None
    assert (graph.routing.model, len(graph.notes)) == (model, notes)


def test_a_scripted_graph_has_no_models() -> None:
    graph = compile_plan("a1", read(bodies.scripted())).dialogue
    assert isinstance(graph, plan.GraphPlan)
    assert (graph.chat, graph.routing) == (None, None)


def test_names_of_functions_that_models_take() -> None:
    edge = {"to_node_id": "ж" * 80, "condition": "go"}
    nodes = [
        {"id": "ж" * 80, "prompt": "x"},
        {"id": "welcome", "prompt": "x", "edges": [edge, edge, edge | {"function_name": "stay_put"}]},
    ]
    conditions = [edge.condition for edge in compiled(nodes=nodes).nodes["welcome"].edges]
    names = [condition.function for condition in conditions if isinstance(condition, plan.Llm)]
    assert len(set(names)) == 3
    assert all(name.isascii() and len(name) <= 64 for name in names)
