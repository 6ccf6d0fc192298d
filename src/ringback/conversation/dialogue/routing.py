"""What a language model is asked in a graph: which edge to take, and what to say in a node."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ringback.agents.chat import Ask, ChatMessage, ToolSpec
from ringback.agents.plan import STAY, Edge, GraphPlan, Llm, Node
from ringback.agents.prompts import fill
from ringback.conversation.dialogue.dialogue import ModelAnswer

REMEMBERED: Final = 30
"""Messages of the conversation that the routing question shows: the edge depends on the latest."""
KNOWN_CHARACTERS: Final = 4000
"""Of the variables: a function may have answered with a whole catalogue."""
_TASK: Final = (
    "Decide where a telephone conversation goes next. Call exactly one function: the one whose description fits what"
    f" the person said last. Call {STAY} when none fits, or when the person has not said what a function needs."
    " Never make values up."
)
_GO_ON: Final = ChatMessage("user", "[The person has said nothing since. Go on.]")
_STAY_SPEC: Final = ToolSpec(
    STAY, "None of the others fits: the conversation stays where it is.", {"type": "object", "properties": {}}
)


def question(
    plan: GraphPlan,
    node: Node,
    edges: Sequence[Edge],
    values: Mapping[str, Any],
    known: Mapping[str, Any],
    history: Sequence[ChatMessage],
) -> Ask:
    """Which of the llm edges of `node` to take. `values` fill the instructions, `known` is told as it is."""
    assert plan.routing is not None
    parts = [fill(plan.routing_instructions, values, missing="NULL"), _TASK]
    if node.prompt:
        parts.append(f"The agent's task at this point: {fill(node.prompt, values, missing='NULL')}")
    parts += _samples(node)
    if known:
        told_known = json.dumps(dict(known), ensure_ascii=False, default=str)
        parts.append(f"Known so far: {told_known[:KNOWN_CHARACTERS]}")
    spoken = [message for message in history if message.role in ("user", "assistant") and message.content]
    told = [ChatMessage(message.role, message.content) for message in spoken[-REMEMBERED:]]
    tools = [_function(edge) for edge in edges]
    return Ask(
        (ChatMessage("system", _joined(parts)), *_in_turns(told)),
        plan.routing,
        (*tools, _STAY_SPEC),
        must_call=True,
        spoken=False,
        purpose="routing",
    )


def chosen(edges: Sequence[Edge], answer: ModelAnswer) -> tuple[Edge | None, Mapping[str, Any]] | None:
    """The edge that the model took with its arguments, (None, {}) to stay; None for an answer of no use."""
    by_function = {_llm(edge).function: edge for edge in edges}
    for call in answer.calls:
        if call.name in by_function:
            edge = by_function[call.name]
            wanted = _llm(edge).parameters
            found = {name: value for name, value in call.arguments.items() if name in wanted}
            return edge, {name: value for name, value in found.items() if value not in (None, "")}
        if call.name == STAY:
            return None, {}
    return None


def speech(
    plan: GraphPlan, node: Node, values: Mapping[str, Any], history: Sequence[ChatMessage], said: str
) -> tuple[ChatMessage, ...]:
    """The conversation for the model that speaks in an llm node; `said` is what the agent is just saying."""
    system = _joined([fill(plan.information, values), fill(node.prompt, values), *_samples(node)])
    told = _in_turns([*history, ChatMessage("assistant", said)] if said else history)
    if not told or told[-1].role == "assistant":
        told.append(_GO_ON)  # some servers continue the agent's last sentence instead of answering
    return (ChatMessage("system", system), *told) if system else tuple(told)


def _in_turns(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """No side speaks twice in a row or says nothing, as strict servers want it."""
    turns: list[ChatMessage] = []
    for message in messages:
        if not message.content and not message.calls and message.role != "tool":
            continue
        last = turns[-1] if turns else None
        if last and last.role == message.role != "tool" and not last.calls:
            both = "\n".join(text for text in (last.content, message.content) if text)
            turns[-1] = replace(message, content=both)
        else:
            turns.append(message)
    return turns


def _samples(node: Node) -> list[str]:
    return ["Sample sentences of the agent:\n" + "\n".join(node.examples)] if node.examples else []


def _joined(parts: Sequence[str]) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _llm(edge: Edge) -> Llm:
    assert isinstance(edge.condition, Llm)
    return edge.condition


def _function(edge: Edge) -> ToolSpec:
    llm = _llm(edge)
    described = llm.description or llm.condition or f"Go on to {edge.to_node_id}."
    schema: dict[str, Any] = {"type": "object", "properties": dict(llm.parameters)}
    if llm.parameters:
        schema["required"] = list(llm.parameters)
    return ToolSpec(llm.function, described, schema)
