"""The agents that ask what the labelled utterances answer: graphs of the provider `scripted`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from benchmarks.turns.labels import Utterance
from ringback.agents.compile import compile_plan
from ringback.agents.definition import Definition
from ringback.agents.plan import Plan
from ringback.conversation.conversation import dialogue_of
from ringback.conversation.dialogue.dialogue import Dialogue

TODAY: Final = date(2026, 11, 24)
_WELCOME: Final = "Hello."
_CALL_LIMIT_S: Final = 1800
_PATIENCE_S: Final = 60


def context(utterance: Utterance) -> str:
    """What the dialogue waits for when it is said; utterances of one context fit into one call in any order."""
    return json.dumps(utterance.expects, sort_keys=True)


def asking(utterances: Iterable[Utterance]) -> dict[str, Any]:
    """An agent that asks the questions of utterances of one context, round and round.

    Whoever is cut off answers the next question with the rest, so that every question must take every answer.
    """
    said = list(utterances)
    expects = said[0].expects
    assert expects is not None
    questions = list(dict.fromkeys(utterance.question for utterance in said))
    nodes = [
        {
            "id": f"q{number}",
            "node_type": "static",
            "static_message": question,
            "max_reprompts": 0,
            "edges": _edges(expects, f"q{(number + 1) % len(questions)}"),
        }
        for number, question in enumerate(questions)
    ]
    return _definition(nodes)


def telling(monologues: Iterable[str]) -> dict[str, Any]:
    """An agent that tells one thing after the other, whatever is said to it."""
    texts = list(monologues)
    nodes = [
        {
            "id": f"m{number}",
            "node_type": "static",
            "static_message": text,
            "max_reprompts": 0,
            "edges": _edges({"type": "open"}, f"m{(number + 1) % len(texts)}"),
        }
        for number, text in enumerate(texts)
    ]
    return _definition(nodes)


def plan_for(utterance: Utterance) -> Plan:
    """The plan of a call in which `utterance` is said."""
    definition = asking([utterance])
    return compile_plan("bench", Definition(definition["agent_config"], definition["agent_prompts"]))


def dialogue_for(plan: Plan) -> Dialogue:
    """The dialogue where it waits for the utterance of `plan_for`."""
    dialogue = dialogue_of(plan, {}, TODAY)
    dialogue.opening()
    return dialogue


def _edges(expects: Mapping[str, Any], onward: str) -> list[dict[str, Any]]:
    match expects["type"]:
        case "yes_no":
            matches = [{"type": "yes"}, {"type": "no"}]
        case "number":
            matches = [{"type": "number", "digits": expects["digits"]}]
        case "choice":
            matches = [{"type": "keywords", "any": expects["any"]}]
        case "date" | "time" as kind:
            matches = [{"type": kind}]
        case _:
            matches = [{"type": "anything"}]
    edges: list[dict[str, Any]] = [
        {"to_node_id": onward, "condition_type": "match", "match": match} for match in matches
    ]
    return [*edges, {"to_node_id": onward, "condition_type": "unconditional"}]


def _definition(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    llm = {
        "agent_type": "graph_agent",
        "agent_flow_type": "streaming",
        "llm_config": {
            "provider": "scripted",
            "agent_information": "A benchmark of turn-taking.",
            "current_node_id": nodes[0]["id"],
            "nodes": nodes,
        },
    }
    tools = {
        "llm_agent": llm,
        "synthesizer": {"provider": "local", "provider_config": {"voice": "heart"}, "audio_format": "wav"},
        "transcriber": {"provider": "local", "model": "whisper-base", "language": "en", "stream": True},
        "input": {"provider": "sip-trunk", "format": "ulaw"},
        "output": {"provider": "sip-trunk", "format": "ulaw"},
    }
    pipelines = [["transcriber", "llm", "synthesizer"]]
    task = {
        "task_type": "conversation",
        "toolchain": {"execution": "parallel", "pipelines": pipelines},
        "tools_config": tools,
        "task_config": {"hangup_after_silence": _PATIENCE_S, "call_terminate": _CALL_LIMIT_S},
    }
    config = {
        "agent_name": "Turn-taking",
        "agent_type": "other",
        "agent_welcome_message": _WELCOME,
        "webhook_url": None,
        "tasks": [task],
    }
    return {"agent_config": config, "agent_prompts": {"task_1": {"system_prompt": ""}}}
