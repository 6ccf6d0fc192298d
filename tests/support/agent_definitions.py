"""Bodies of POST /v2/agent, as clients send them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

SIMPLE: dict[str, Any] = {
    "agent_config": {
        "agent_name": "Alfred",
        "agent_welcome_message": "Hello {name}, this is Alfred.",
        "webhook_url": None,
        "tasks": [
            {
                "task_type": "conversation",
                "toolchain": {
                    "execution": "parallel",
                    "pipelines": [["transcriber", "llm", "synthesizer"]],
                },
                "tools_config": {
                    "llm_agent": {
                        "agent_type": "simple_llm_agent",
                        "agent_flow_type": "streaming",
                        "llm_config": {"provider": "openai", "model": "gpt-4.1-mini", "temperature": 0.3},
                    },
                    "synthesizer": {
                        "provider": "elevenlabs",
                        "provider_config": {"voice": "Nila", "voice_id": "V9", "model": "eleven_turbo_v2_5"},
                    },
                    "transcriber": {"provider": "deepgram", "model": "nova-3", "language": "en"},
                    "input": {"provider": "plivo", "format": "wav"},
                    "output": {"provider": "plivo", "format": "wav"},
                },
                "task_config": {"hangup_after_silence": 15},
            }
        ],
    },
    "agent_prompts": {"task_1": {"system_prompt": "You are Alfred. Today is {current_date}."}},
}

_GRAPH: dict[str, Any] = {
    "provider": "scripted",
    "current_node_id": "confirm",
    "nodes": [
        {
            "id": "confirm",
            "node_type": "static",
            "static_message": "Is the appointment on Monday still fine?",
            "reprompt_message": "Yes or no?",
            "max_reprompts": 1,
            "edges": [
                {
                    "to_node_id": "bye",
                    "condition_type": "match",
                    "match": {"type": "yes"},
                    "slots": {"confirmed": True},
                },
                {
                    "to_node_id": "day",
                    "condition_type": "match",
                    "match": {"type": "no"},
                    "slot": "confirmed",
                },
                {"to_node_id": "bye", "condition_type": "unconditional", "priority": 9},
            ],
        },
        {
            "id": "day",
            "node_type": "static",
            "static_message": {"en": "Which day?", "de": "Welcher Tag?"},
            "edges": [
                {"to_node_id": "bye", "condition_type": "match", "match": {"type": "date"}, "slot": "day"}
            ],
        },
        {"id": "bye", "node_type": "static", "static_message": "Thank you, goodbye."},
    ],
}


def simple() -> dict[str, Any]:
    return deepcopy(SIMPLE)


def scripted(*, nested: bool = True) -> dict[str, Any]:
    """A graph agent without a language model; `nested` puts the graph into `llm_config`."""
    body = simple()
    graph = deepcopy(_GRAPH)
    agent = (
        {"agent_type": "graph_agent", "llm_config": graph}
        if nested
        else {"agent_type": "graph_agent"} | graph
    )
    tools = body["agent_config"]["tasks"][0]["tools_config"]
    tools["llm_agent"] = agent
    tools["transcriber"] = {"provider": "local", "language": "en"}
    tools["synthesizer"] = {"provider": "local", "provider_config": {"voice": "default"}}
    tools["input"] = tools["output"] = {"provider": "default", "format": "wav"}
    return body


def flat() -> dict[str, Any]:
    """The v1 form: a language model without `llm_config` around it."""
    body = simple()
    body["agent_config"]["tasks"][0]["tools_config"]["llm_agent"] = {
        "provider": "openai",
        "model": "gpt-4.1-mini",
    }
    return body


def task(body: dict[str, Any]) -> dict[str, Any]:
    """The first task of a body, to be changed in place."""
    first: dict[str, Any] = body["agent_config"]["tasks"][0]
    return first
