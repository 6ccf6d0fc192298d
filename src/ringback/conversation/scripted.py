"""The dialogue of a graph agent without a language model: static nodes, and edges by what was heard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Final

from ringback.agents.chat import ToolCall
from ringback.agents.plan import Always, Edge, Expression, GraphPlan, Node
from ringback.agents.prompts import fill
from ringback.agents.tools import ToolResult
from ringback.conversation.dialogue import DialogueError, Expectation, ModelAnswer, Reply
from ringback.conversation.expression import holds
from ringback.conversation.spoken import spoken
from ringback.conversation.transcript import LogEntry
from ringback.conversation.understanding import Found, understand

MAX_HOPS: Final = 50
"""Nodes passed without hearing anybody; a graph that wants more runs in a circle."""
GIVING_UP: Final = "I am sorry, I did not understand. Goodbye."
"""Said, before hanging up, where the reprompts are used up and no unconditional edge leads on."""


@dataclass(frozen=True, slots=True)
class _State:
    node: str
    slots: Mapping[str, Any] = field(default_factory=dict)
    reprompts: int = 0


class ScriptedDialogue:
    """Implements `dialogue.Dialogue`. A node says its message, together with those of the nodes that it leads
    to at once; what the person says is matched against the edges of the node where the agent stopped."""

    def __init__(self, graph: GraphPlan, variables: Mapping[str, Any], today: date) -> None:
        """Raises DialogueError for a graph with a node that needs a language model, or an edge to nowhere."""
        _check(graph)
        self._nodes = graph.nodes
        self._variables = variables
        self._today = today
        self._state = _State(graph.start)

    @property
    def slots(self) -> Mapping[str, Any]:
        return self._state.slots

    def opening(self) -> Reply:
        return self._enter([])

    def answer(self, text: str) -> Reply:
        for edge in self._edges():
            found = self._found(edge, text)
            if found is not None:
                return self._enter([self._take(edge, found, text)])
        return self._not_understood(text)

    @property
    def context(self) -> Mapping[str, Any]:
        return {}

    @property
    def repeat_after_s(self) -> float | None:
        return None

    def answered(self, answer: ModelAnswer) -> Reply:
        raise AssertionError("a script asks nobody")

    def unanswered(self, message: str) -> Reply | None:
        return None

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        raise AssertionError("a script calls nothing")

    def inject(self, name: str, properties: Mapping[str, Any]) -> Reply | None:
        return None

    def repeat(self) -> Reply | None:
        return None

    def judge(self, text: str) -> Expectation:
        return Expectation.OPEN

    def heard(self, text: str) -> None:
        """A script does not depend on how much of it was heard."""

    def mark(self) -> object:
        return self._state

    def rewind(self, mark: object) -> None:
        assert isinstance(mark, _State)
        self._state = mark

    @property
    def _node(self) -> Node:
        return self._nodes[self._state.node]

    def _edges(self) -> list[Edge]:
        return sorted(self._node.edges, key=lambda edge: edge.priority)

    def _found(self, edge: Edge, text: str) -> Found | None:
        match edge.condition:
            case Always():
                return None
            case Expression():
                return Found(None) if self._holds(edge.condition) else None
            case _:
                return understand(edge.condition, text, self._today)

    def _holds(self, expression: Expression) -> bool:
        return holds(expression, {**self._variables, **self._state.slots})

    def _take(self, edge: Edge, found: Found, text: str = "") -> LogEntry:
        origin = self._state.node
        set_slots = {name: found.value if value is None else value for name, value in edge.slots.items()}
        self._state = _State(edge.to_node_id, {**self._state.slots, **set_slots})
        step = {
            "from": origin,
            "to": edge.to_node_id,
            "condition": type(edge.condition).__name__.lower(),
            "heard": text,
            "slots": set_slots,
        }
        return LogEntry("event", "graph_routing", json.dumps(step, ensure_ascii=False, default=str))

    def _enter(self, log: list[LogEntry]) -> Reply:
        """Say the node's message, and go on as long as the way needs no answer."""
        said: list[str] = []
        for _ in range(MAX_HOPS):
            node = self._node
            if node.message:
                said.append(self._fill(node.message))
            if not node.edges:
                return Reply(" ".join(said), ends=True, log=tuple(log))
            edge = self._edge_at_once(node)
            if edge is None:
                return Reply(" ".join(said), log=tuple(log))
            log.append(self._take(edge, Found(None)))
        log.append(
            LogEntry("error", "graph_routing", f"the graph runs in a circle at node {self._node.id!r}")
        )
        return Reply(" ".join([*said[:1], GIVING_UP]), ends=True, log=tuple(log))

    def _edge_at_once(self, node: Node) -> Edge | None:
        edges = self._edges()
        for edge in edges:
            if isinstance(edge.condition, Expression) and self._holds(edge.condition):
                return edge
        always = next((edge for edge in edges if isinstance(edge.condition, Always)), None)
        return always if node.kind == "router" or len(edges) == 1 else None

    def _not_understood(self, text: str) -> Reply:
        node = self._node
        if self._state.reprompts < node.max_reprompts:
            self._state = replace(self._state, reprompts=self._state.reprompts + 1)
            entry = LogEntry("event", "graph_routing", f"no edge of node {node.id!r} matches: {text}")
            return Reply(self._fill(node.reprompt or node.message), log=(entry,))
        for edge in self._edges():
            if isinstance(edge.condition, Always):
                return self._enter([self._take(edge, Found(None), text)])
        entry = LogEntry("event", "graph_routing", f"node {node.id!r} gives up on: {text}")
        return Reply(GIVING_UP, ends=True, log=(entry,))

    def _fill(self, message: str) -> str:
        slots = {name: spoken(value) for name, value in self._state.slots.items()}
        return fill(message, {**self._variables, **slots})


def _check(graph: GraphPlan) -> None:
    if graph.start not in graph.nodes:
        raise DialogueError(f"the graph starts at node {graph.start!r}, which does not exist")
    for node in graph.nodes.values():
        if node.kind == "llm":
            raise DialogueError(
                f"node {node.id!r} needs a language model, which graph agents cannot use yet: make it static"
            )
        for edge in node.edges:
            if edge.to_node_id not in graph.nodes:
                raise DialogueError(f"node {node.id!r} leads to {edge.to_node_id!r}, which does not exist")
