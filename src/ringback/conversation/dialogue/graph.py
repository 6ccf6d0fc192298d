"""The dialogue of a graph agent: which node follows, what is said there, what is asked of a language model."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from ringback.agents.chat import Ask, ChatMessage, ToolCall
from ringback.agents.plan import Always, Edge, Event, Expression, GraphPlan, Llm, Node
from ringback.agents.prompts import fill
from ringback.agents.tools import EndCall, Tool, ToolResult
from ringback.conversation.dialogue import routing
from ringback.conversation.dialogue.dialogue import Expectation, ModelAnswer, Reply, only_keys
from ringback.conversation.dialogue.expression import holds
from ringback.conversation.dialogue.graph_check import check
from ringback.conversation.dialogue.graph_state import PATH_LENGTH, Arguments, Calls, Route, State, Talk
from ringback.conversation.dialogue.guessing import guess
from ringback.conversation.dialogue.judging import judge
from ringback.conversation.dialogue.keys import fills as keys_fill
from ringback.conversation.dialogue.keys import plain
from ringback.conversation.dialogue.spoken import spoken
from ringback.conversation.dialogue.typed import in_types
from ringback.conversation.transcript import LogEntry
from ringback.conversation.understanding.lexicon.lexicon import lexicon
from ringback.conversation.understanding.understanding import Found, understand

MAX_HOPS: Final = 50
"""Nodes entered without hearing anybody; a graph that wants more runs in a circle."""
MAX_ROUNDS: Final = 6
"""Times in one turn that the language model may call functions before it has to speak."""
GIVING_UP: Final = "I am sorry, I did not understand. Goodbye."
"""Said, before hanging up, where the reprompts are used up and no unconditional edge leads on."""

Said = list[str]
Log = list[LogEntry]


class GraphDialogue:
    """Implements `dialogue.Dialogue`. What the person says takes one edge; entering a node may lead on at once."""

    def __init__(
        self, graph: GraphPlan, tools: Mapping[str, Tool], variables: Mapping[str, Any], today: date
    ) -> None:
        """Raises DialogueError for a graph that no call can follow."""
        check(graph, tools)
        self._graph = graph
        self._tools = tools
        self._today = today
        self._state = State(graph.start, path=(graph.start,))
        self._opening_log: Log = [_entry(note) for note in graph.notes]
        table = lexicon(graph.language)
        self._giving_up = table.giving_up if table else GIVING_UP
        known = self._typed({**graph.context, **variables}, self._opening_log)
        recipient = known.get("recipient_data")
        own = dict(recipient) if isinstance(recipient, Mapping) else {}
        self._known = known | {"recipient_data": own | known}

    # What others see

    @property
    def slots(self) -> Mapping[str, Any]:
        return self._state.slots

    @property
    def context(self) -> Mapping[str, Any]:
        """`current_node_id`, `path` (ids of the nodes entered) and `variables` (slots, events, results)."""
        state = self._state
        learned = {**state.context, **state.slots}
        return {"current_node_id": state.node, "path": list(state.path), "variables": learned}

    @property
    def repeat_after_s(self) -> float | None:
        return self._node.repeat_after_s

    def judge(self, text: str) -> Expectation:
        conditions = [edge.condition for edge in self._node.edges]
        return judge(conditions, text, self._today, self._graph.language)

    def fills(self, keys: str) -> bool:
        return keys_fill([edge.condition for edge in self._node.edges], keys)

    def mark(self) -> object:
        return self._state

    def rewind(self, mark: object) -> None:
        assert isinstance(mark, State)
        self._state = mark

    def heard(self, text: str) -> None:
        self._state = self._state.heard_of_the_agent(text)

    # What happens

    def opening(self) -> Reply:
        reply = self._go([], list(self._opening_log))
        self._state = replace(self._state, opening=False)
        return reply

    def answer(self, text: str) -> Reply:
        state = self._turn(plain(text)).told(ChatMessage("user", text))
        self._state = replace(state, node_turns=state.node_turns + 1, total_turns=state.total_turns + 1)
        return self._decide(self._edges(), [], [])

    def answered(self, answer: ModelAnswer) -> Reply:
        waiting = self._state.waiting
        self._state = replace(self._state, waiting=None)
        match waiting:
            case Route():
                return self._routed(waiting, answer)
            case Arguments(function):
                given = next((call.arguments for call in answer.calls if call.name == function), {})
                return self._call_on_entry(function, given, [], [])
            case Talk() if answer.calls:
                # To hang up beside other functions would leave their results untold: asked again, it says goodbye.
                calls = [call for call in answer.calls if not isinstance(self._tools.get(call.name), EndCall)]
                return (
                    self._call(Calls(tuple(calls), False, answer.text), [], []) if calls else Reply(ends=True)
                )
        return Reply()

    def unanswered(self, message: str) -> Reply | None:
        waiting = self._state.waiting
        self._state = replace(self._state, waiting=None)
        match waiting:
            case Route():
                return self._guess(waiting, [], [_entry(message, "error")])
            case Arguments(function):
                return self._call_on_entry(function, {}, [], [_entry(message, "error")])
        return None

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        waiting = self._state.waiting
        if not isinstance(waiting, Calls):
            return Reply()
        state, log = self._state.called(waiting, results), Log()
        learned: dict[str, Any] = {}
        for call, result in results:
            learned |= self._typed(result.values, log)
            learned[call.name] = {"failed": result.failed, "status": result.status}
        self._state = replace(
            state,
            waiting=None,
            rounds=state.rounds + 1,
            context={**state.context, **learned},
        )
        if waiting.entering:
            return self._go([], log, entered=False)
        edge = self._true_expression()
        if edge is None:
            return self._say([], log) if only_keys(self._tools, results) else self._speak([], log)
        log.append(self._take(edge, Found(None)))
        return self._go([], log)

    def inject(self, name: str, properties: Mapping[str, Any]) -> Reply | None:
        """The properties become variables, together under `event` too, whatever they lead to."""
        log: Log = []
        learned = self._typed(properties, log) | {"event": dict(properties), "event_name": name}
        self._state = replace(self._state, context={**self._state.context, **learned})
        edge = next((e for e in self._edges() if e.condition == Event(name)), None) or self._true_expression()
        if edge is None:
            return None
        told = json.dumps(dict(properties), ensure_ascii=False, default=str)
        self._state = self._turn("").told(ChatMessage("user", f"[Event {name}: {told}]"))
        log.append(self._take(edge, Found(None), f"event {name}"))
        return self._go([], log)

    def repeat(self) -> Reply | None:
        node = self._node
        if node.repeat_after_s is None:
            return None
        self._state = replace(self._turn(""), silence_repeats=self._state.silence_repeats + 1)
        edge = self._true_expression()
        if edge is not None:
            return self._go([], [self._take(edge, Found(None), "silence")])
        if node.kind == "llm":
            return self._speak([], [])
        return Reply(self._fill(node.message)) if node.message else None

    # Which way

    @property
    def _node(self) -> Node:
        return self._graph.nodes[self._state.node]

    @property
    def _values(self) -> Mapping[str, Any]:
        state = self._state
        return {**self._known, **state.context, **state.slots, **state.counters}

    def _edges(self) -> list[Edge]:
        return sorted(self._node.edges, key=lambda edge: edge.priority)

    def _turn(self, heard: str) -> State:
        return replace(self._state, heard=heard, waiting=None, hops=0, rounds=0, routed=False, opening=False)

    def _decide(self, edges: Sequence[Edge], said: Said, log: Log) -> Reply:
        """Take the first edge that is met. Where the language model's are due, all of them are asked for at once."""
        for place, edge in enumerate(edges):
            if isinstance(edge.condition, Llm):
                if self._state.routed or not self._state.heard:
                    continue
                left = edges[place:]
                asked = tuple(other for other in left if isinstance(other.condition, Llm))
                return self._route(Route(asked, tuple(o for o in left if o not in asked)), said, log)
            found = self._found(edge)
            if found is not None:
                log.append(self._take(edge, found, self._state.heard))
                return self._go(said, log)
        return self._stay(said, log)

    def _found(self, edge: Edge) -> Found | None:
        match edge.condition:
            case Expression() as expression:
                return Found(None) if holds(expression, self._values) else None
            case condition:
                return understand(condition, self._state.heard, self._today, self._graph.language)

    def _true_expression(self) -> Edge | None:
        expressions = (edge for edge in self._edges() if isinstance(edge.condition, Expression))
        return next((edge for edge in expressions if self._found(edge)), None)

    def _take(self, edge: Edge, found: Found, heard: str = "") -> LogEntry:
        slots = {name: found.value if value is None else value for name, value in edge.slots.items()}
        return self._move(edge, slots, heard)

    def _move(self, edge: Edge, slots: Mapping[str, Any], heard: str) -> LogEntry:
        state = self._state
        self._state = replace(
            state,
            node=edge.to_node_id,
            slots={**state.slots, **slots},
            path=(*state.path, edge.to_node_id)[-PATH_LENGTH:],
            reprompts=0,
            node_turns=0,
            silence_repeats=0,
            hops=state.hops + 1,
        )
        always = isinstance(edge.condition, Always)
        kind = "unconditional" if always else type(edge.condition).__name__.lower()
        step = {"from": state.node, "to": edge.to_node_id, "condition": kind, "heard": heard, "slots": slots}
        return _entry(json.dumps(step, ensure_ascii=False, default=str))

    # The language model's choice

    def _route(self, route: Route, said: Said, log: Log) -> Reply:
        if self._graph.routing is None:
            return self._guess(route, said, log)
        state = self._state = replace(self._state, waiting=route, routed=True)
        known = {**state.context, **state.slots}
        ask = routing.question(self._graph, self._node, route.edges, self._values, known, self._state.history)
        return Reply(" ".join(said), ask=ask, log=tuple(log))

    def _routed(self, route: Route, answer: ModelAnswer) -> Reply:
        choice = routing.chosen(route.edges, answer)
        if choice is None:
            names = ", ".join(call.name for call in answer.calls) or "none"
            return self._guess(
                route, [], [_entry(f"the language model took no edge: it called {names}", "error")]
            )
        edge, arguments = choice
        if edge is None:
            log = [_entry(f"the language model stays at node {self._state.node!r}")]
            return self._decide(route.rest, [], log)
        return self._follow(edge, arguments, [], [])

    def _guess(self, route: Route, said: Said, log: Log) -> Reply:
        self._state = replace(self._state, routed=True)
        guessed = guess(route.edges, self._state.heard, self._today, self._graph.language)
        if guessed is None:
            return self._decide(route.rest, said, log)
        edge, values, reason = guessed
        log.append(_entry(f"matched without a language model: {edge.to_node_id!r} by {reason}"))
        return self._follow(edge, values, said, log)

    def _follow(self, edge: Edge, arguments: Mapping[str, Any], said: Said, log: Log) -> Reply:
        assert isinstance(edge.condition, Llm)
        kinds = {name: str(schema.get("type")) for name, schema in edge.condition.parameters.items()}
        log.append(self._move(edge, {**self._typed(arguments, log, kinds), **edge.slots}, self._state.heard))
        return self._go(said, log)

    # What is said

    def _go(self, said: Said, log: Log, entered: bool = True) -> Reply:
        """Say and do what the present node holds, and go on as long as the way needs no answer."""
        node = self._node
        if self._state.hops > MAX_HOPS:
            log.append(_entry(f"the graph runs in a circle at node {node.id!r}", "error"))
            return self._say([*said[:1], self._giving_up], log, ends=True)
        if node.kind == "router":
            return self._decide(self._edges(), said, log)
        if node.kind == "static" and entered and node.message:
            said.append(self._fill(node.message))
        if entered and node.function:
            return self._enter_function(node.function, said, log)
        edge = self._true_expression()
        if edge is None and node.kind == "static" and (_only_onward(node) or node.function):
            edge = _way_on(node)
        if edge is not None:
            log.append(self._take(edge, Found(None)))
            return self._go(said, log)
        if node.kind == "llm":
            return self._speak(said, log)
        return self._say(said, log, ends=not node.edges)

    def _stay(self, said: Said, log: Log) -> Reply:
        """No edge was met."""
        node, state = self._node, self._state
        always = next((edge for edge in node.edges if isinstance(edge.condition, Always)), None)
        patience_over = state.reprompts >= node.max_reprompts
        if always and (patience_over or node.kind == "router" or _only_onward(node)):
            log.append(self._take(always, Found(None), state.heard))
            return self._go(said, log)
        self._state = replace(state, reprompts=state.reprompts + 1)
        if node.kind == "llm":
            return self._speak(said, log)
        waits = any(isinstance(edge.condition, Event) for edge in node.edges)
        if node.kind == "router" or (patience_over and not waits):
            log.append(_entry(f"node {node.id!r} gives up on: {state.heard}"))
            return self._say([*said, self._giving_up], log, ends=True)
        log.append(_entry(f"no edge of node {node.id!r} matches: {state.heard}"))
        return self._say([*said, self._fill(node.reprompt or node.message)], log)

    def _say(self, said: Said, log: Log, ends: bool = False) -> Reply:
        return Reply(" ".join(said), ends=ends, log=tuple(log))

    def _speak(self, said: Said, log: Log) -> Reply:
        """The language model speaks. Not at the opening: then the welcome message was said, and the person is next."""
        assert self._graph.chat is not None
        text = " ".join(said)
        if self._state.opening and not said:
            return Reply(log=tuple(log))
        state = self._state = replace(self._state, waiting=Talk())
        messages = routing.speech(self._graph, self._node, self._values, state.history, text)
        offered = [
            tool.spec for tool in self._tools.values() if tool.nodes is None or state.node in tool.nodes
        ]
        tools = tuple(offered) if state.rounds < MAX_ROUNDS else ()
        return Reply(text, ask=Ask(messages, self._graph.chat, tools), log=tuple(log))

    def _fill(self, message: str) -> str:
        slots = {name: spoken(value, self._graph.language) for name, value in self._state.slots.items()}
        return fill(message, {**self._values, **slots})

    # Functions

    def _enter_function(self, function: str, said: Said, log: Log) -> Reply:
        tool = self._tools[function]
        if isinstance(tool, EndCall):
            return self._say(said, log, ends=True)
        missing = set(tool.spec.parameters.get("required") or ()) - set(self._arguments(tool))
        if not missing or self._graph.chat is None or not self._state.history:
            return self._call_on_entry(function, {}, said, log)
        self._state = replace(self._state, waiting=Arguments(function))
        messages = routing.speech(self._graph, self._node, self._values, self._state.history, "")
        ask = Ask(messages, self._graph.chat, (tool.spec,), must_call=True, spoken=False)
        return Reply(" ".join(said), ask=ask, log=tuple(log))

    def _call_on_entry(self, function: str, given: Mapping[str, Any], said: Said, log: Log) -> Reply:
        tool = self._tools[function]
        assert not isinstance(tool, EndCall)
        number = len(self._state.history)
        call = ToolCall(f"enter_{number}", function, {**self._arguments(tool), **given})
        return self._call(Calls((call,), True), said, log)

    def _call(self, calls: Calls, said: Said, log: Log) -> Reply:
        self._state = replace(self._state, waiting=calls)
        return Reply(" ".join(said), calls=calls.calls, log=tuple(log))

    def _arguments(self, tool: Tool) -> dict[str, Any]:
        """Those parameters of a function that are known already."""
        values = self._values
        return {name: values[name] for name in tool.spec.parameters.get("properties") or {} if name in values}

    def _typed(
        self, values: Mapping[str, Any], log: Log, kinds: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        typed, complaints = in_types(values, {**(kinds or {}), **self._graph.variable_types})
        log += [_entry(complaint, "error") for complaint in complaints]
        return typed


def _only_onward(node: Node) -> bool:
    return len(node.edges) == 1 and isinstance(node.edges[0].condition, Always)


def _way_on(node: Node) -> Edge | None:
    """The unconditional edge, where no edge is about what is heard."""
    silent = all(isinstance(edge.condition, Always | Expression) for edge in node.edges)
    return next((edge for edge in node.edges if silent and isinstance(edge.condition, Always)), None)


def _entry(data: str, kind: Any = "event") -> LogEntry:
    return LogEntry(kind, "graph_routing", data)
