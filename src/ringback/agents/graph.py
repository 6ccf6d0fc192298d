"""The graph of a `graph_agent` as clients write it (contract 7), and our additions to it.

The provider `scripted` needs no language model: it has no llm nodes, and its llm edges are guessed from the words of
their condition. Additions, for any provider:

- an edge with `condition_type: "match"` and `match`, one of
  `{"type": "keywords", "any": [words or phrases]}`, `{"type": "pattern", "pattern": regular expression}`,
  `{"type": "number", "minimum", "maximum", "digits"}` (each optional; with `digits` a code, digit by digit),
  `{"type": "date"}`, `{"type": "time"}`, `{"type": "yes"}`, `{"type": "no"}`, `{"type": "anything"}`;
- on any edge `slot: "name"`, set to what the match found, and `slots: {"name": constant}`;
- on a node `reprompt_message`, said when nothing matched (default: the message again), and `max_reprompts`.

Slots are the call's `extracted_data`, and `{slot}` may stand in any message.
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SerializeAsAny, model_validator

from ringback.agents import patterns
from ringback.agents.validation import DescribedAs, Localised, Name, Part, Real, Text, Whole, refuse, shaped

Problems = Iterator[tuple[tuple[str | int, ...], str]]


class KeywordsMatch(Part):
    type: Literal["keywords"]
    any: Annotated[list[Name], Field(min_length=1, max_length=500)]


class PatternMatch(Part):
    type: Literal["pattern"]
    pattern: Annotated[str, Field(min_length=1, max_length=500)]

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        if (why := patterns.problem(self.pattern)) is not None:
            refuse([(("pattern",), f"is not a regular expression: {why}")])
        return self


class NumberMatch(Part):
    type: Literal["number"]
    minimum: Whole | None = None
    maximum: Whole | None = None
    digits: Annotated[Whole, Field(ge=1, le=40)] | None = None

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            refuse([(("maximum",), "must be at least the minimum")])
        return self


class PlainMatch(Part):
    type: Literal["date", "time", "yes", "no", "anything"]


_MATCHES: dict[str, type[Part]] = {
    "keywords": KeywordsMatch,
    "pattern": PatternMatch,
    "number": NumberMatch,
    **dict.fromkeys(["date", "time", "yes", "no", "anything"], PlainMatch),
}


class AnyMatch(Part):
    type: Literal["keywords", "pattern", "number", "date", "time", "yes", "no", "anything"]


def _match_shape(value: Any) -> type[Part]:
    kind = value.get("type") if isinstance(value, dict) else None
    return _MATCHES.get(kind, AnyMatch) if isinstance(kind, str) else AnyMatch


_AnyMatch = KeywordsMatch | PatternMatch | NumberMatch | PlainMatch
Operator = Literal["eq", "neq", "gt", "gte", "lt", "lte", "contains", "in", "not_in", "exists", "not_exists"]


class Comparison(Part):
    variable: Name
    operator: Operator
    value: Any = None


class Expression(Part):
    logic: Literal["and", "or"] = "and"
    conditions: Annotated[list[Comparison], Field(min_length=1, max_length=50)]


class Edge(Part):
    to_node_id: Name
    condition: Text | None = None
    condition_type: Literal["llm", "expression", "unconditional", "event", "match"] = "llm"
    expression: Expression | None = None
    event_name: Name | None = None
    function_name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")] | None = (
        None
    )
    function_description: Text | None = None
    parameters: Annotated[dict[Name, Any], Field(max_length=50)] | None = None
    match: Annotated[SerializeAsAny[Part], shaped(_match_shape), DescribedAs(_AnyMatch)] | None = None
    priority: Whole | None = None
    slot: Name | None = None
    slots: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        refuse(self._problems())
        return self

    def _problems(self) -> Problems:
        if self.condition_type == "expression" and self.expression is None:
            yield ("expression",), "is required for an edge of condition_type expression"
        if self.condition_type == "match" and self.match is None:
            yield ("match",), "is required for an edge of condition_type match"
        if self.condition_type == "event" and self.event_name is None:
            yield ("event_name",), "is required for an edge of condition_type event"
        if self.slot is not None and self.condition_type != "match":
            yield ("slot",), "needs an edge of condition_type match; use slots for constants"
        for name, value in (self.slots or {}).items():
            if value is None:
                yield ("slots", name), "must not be null"


class Node(Part):
    id: Name
    node_type: Literal["llm", "static", "router"] = "llm"
    description: Text | None = None
    prompt: Text | None = None
    static_message: Localised | None = None
    reprompt_message: Localised | None = None
    max_reprompts: Annotated[Whole, Field(ge=0, le=20)] = 2
    repeat_after_silence_seconds: Annotated[Real, Field(gt=0, le=3600)] | None = None
    examples: Any = None
    function_call: Name | None = None
    rag_config: dict[str, Any] | None = None
    edges: Annotated[list[Edge], Field(default_factory=list, max_length=200)]

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        refuse(self._problems())
        return self

    def _problems(self) -> Problems:
        if self.node_type == "static" and not self.static_message:
            yield ("static_message",), "is required for a static node"
        if self.node_type == "router":
            if self.prompt:
                yield ("prompt",), "is not allowed on a router node"
            kinds = [edge.condition_type for edge in self.edges]
            if kinds.count("unconditional") != 1:
                yield ("edges",), "of a router node must hold exactly one unconditional edge"
            for index, kind in enumerate(kinds):
                if kind == "event":
                    yield ("edges", index, "condition_type"), "must not be event on a router node"
            if self.function_call:
                yield ("function_call",), "is not allowed on a router node"
            if self.repeat_after_silence_seconds:
                yield ("repeat_after_silence_seconds",), "is not allowed on a router node, which never waits"
        names = [edge.function_name for edge in self.edges]
        for index, name in enumerate(names):
            if name is not None and name in names[:index]:
                yield ("edges", index, "function_name"), f'is used twice in the node: "{name}"'


class Graph(Part):
    """The nodes and where a call starts. Edges lead to nodes that exist; routers do not lead in a circle."""

    agent_information: Text | None = None
    nodes: Annotated[list[Node], Field(min_length=1, max_length=1000)]
    current_node_id: Name
    context_data: dict[str, Any] | None = None
    variable_types: dict[str, Literal["string", "number", "boolean"]] | None = None
    rag_config: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        refuse(self._problems())
        return self

    def _problems(self) -> Problems:
        known = {node.id for node in self.nodes}
        if self.current_node_id not in known:
            yield ("current_node_id",), f'names no node: "{self.current_node_id}"'
        seen: set[str] = set()
        for n, node in enumerate(self.nodes):
            if node.id in seen:
                yield ("nodes", n, "id"), f'is used twice: "{node.id}"'
            seen.add(node.id)
            for e, edge in enumerate(node.edges):
                if edge.to_node_id not in known:
                    yield ("nodes", n, "edges", e, "to_node_id"), f'names no node: "{edge.to_node_id}"'
        yield from self._deaf_circle()

    def _deaf_circle(self) -> Problems:
        """A circle in which the call never listens would talk, or route, for ever."""
        ways = {node.id: [edge.to_node_id for edge in node.edges] for node in self.nodes if _is_deaf(node)}
        try:
            TopologicalSorter(ways).prepare()
        except CycleError as error:
            circle = error.args[1]
            where = next(n for n, node in enumerate(self.nodes) if node.id == circle[0])
            yield ("nodes", where, "edges"), f"lead in a circle that never listens: {' -> '.join(circle)}"


def _is_deaf(node: Node) -> bool:
    only_on = len(node.edges) == 1 and node.edges[0].condition_type == "unconditional"
    return node.node_type == "router" or (node.node_type == "static" and only_on)


class ScriptedGraph(Graph):
    """A graph that needs no language model: nodes say what is written, edges match what is heard."""

    provider: Literal["scripted"]

    def _problems(self) -> Problems:
        yield from super()._problems()
        for n, node in enumerate(self.nodes):
            if node.node_type == "llm":
                yield ("nodes", n, "node_type"), "must be static or router with provider scripted"
