"""Random graphs, random calls: the dialogue never raises, never talks without end, and going back is exact."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringback.agents.chat import ChatSettings, ToolCall, ToolSpec
from ringback.agents.plan import (
    STAY,
    Affirmative,
    Always,
    Anything,
    Comparison,
    Condition,
    Date,
    Edge,
    Event,
    Expression,
    GraphPlan,
    Keywords,
    Llm,
    Negative,
    Node,
    Number,
)
from ringback.agents.tools import EndCall, HttpTool, Tool, ToolResult
from ringback.conversation.dialogue import ModelAnswer, Reply
from ringback.conversation.graph import GraphDialogue
from ringback.conversation.graph_state import State

TODAY = date(2026, 11, 24)
NAMES = ("a", "b", "c", "d", "e")
EVENTS = ("paid", "late")
VARIABLES = ("size", "_node_turns", "_silence_repeats", "event.x", "x")
OBJECT: dict[str, Any] = {"type": "object", "properties": {"size": {}, "day": {}}, "required": ["day"]}
TOOLS: dict[str, Tool] = {
    "book": HttpTool(ToolSpec("book", "", OBJECT), "https://example.com", "POST"),
    "end_call": EndCall(ToolSpec("end_call", "", {"type": "object"})),
}
TEXTS = ("yes", "no", "four", "tomorrow", "I want to cancel", "", "hm", "Ça va?", "4 2 7 1", "हाँ")

comparisons = st.builds(
    Comparison,
    st.sampled_from(VARIABLES),
    st.sampled_from(["eq", "gte", "exists", "not_exists", "in", "contains"]),
    st.sampled_from([1, 2, "x", None, [1]]),
)
conditions: st.SearchStrategy[Condition] = st.one_of(
    st.sampled_from(
        [Affirmative(), Negative(), Anything(), Always(), Date(), Number(digits=4), Number(1, 9)]
    ),
    st.just(Keywords(("cancel",))),
    st.builds(Event, st.sampled_from(EVENTS)),
    st.builds(Expression, st.sampled_from(["and", "or"]), st.tuples(comparisons)),
    st.builds(
        Llm,
        st.sampled_from(["they agree", "they want to cancel", "a 4-digit code", "anything else", ""]),
        st.sampled_from(["go_1", "go_2"]),
        st.just(""),
        st.sampled_from([{}, {"size": {"type": "number"}}]),
    ),
)
edges = st.builds(
    Edge,
    st.sampled_from(NAMES),
    conditions,
    st.sampled_from([0, 0, 50, 100]),
    st.sampled_from([{}, {"size": None}, {"x": 1}]),
)


def nodes(name: str, with_model: bool) -> st.SearchStrategy[Node]:
    return st.builds(
        Node,
        st.just(name),
        st.sampled_from(["static", "router", "llm"] if with_model else ["static", "router"]),
        st.sampled_from(["", f"Message of {name}, {{size}}."]),
        st.sampled_from(["", "Again?"]),
        st.integers(0, 2),
        st.just("Prompt."),
        st.lists(edges, max_size=4).map(tuple),
        function=st.sampled_from([None, None, None, "book", "end_call"]),
        repeat_after_s=st.sampled_from([None, 3.0]),
    )


@st.composite
def graphs(draw: st.DrawFn) -> GraphPlan:
    with_model = draw(st.booleans())
    chat = ChatSettings("m") if with_model else None
    made = {name: draw(nodes(name, with_model)) for name in NAMES}
    types: dict[str, Any] = draw(st.sampled_from([{}, {"size": "number", "x": "boolean"}]))
    language = draw(st.sampled_from(["en", "fr", "hi", "xx"]))
    return GraphPlan("p", "a", made, chat=chat, routing=chat, language=language, variable_types=types)


calls = st.builds(
    ToolCall,
    st.just("1"),
    st.sampled_from(["go_1", "go_2", STAY, "book", "end_call", "nonsense"]),
    st.sampled_from([{}, {"size": "12"}, {"size": None}, {"size": ["x"]}, {"day": "x"}]),
)
answers = st.builds(ModelAnswer, st.sampled_from(["", "Well."]), st.lists(calls, max_size=2).map(tuple))
outcomes = st.builds(
    ToolResult, st.just("done"), st.booleans(), st.none(), st.sampled_from([{}, {"size": 3}, {"x": "maybe"}])
)
steps = st.one_of(
    st.tuples(st.just("answer"), st.sampled_from(TEXTS)),
    st.tuples(st.just("answered"), answers),
    st.tuples(st.just("unanswered"), st.just("away")),
    st.tuples(st.just("results"), outcomes),
    st.tuples(st.just("inject"), st.sampled_from(EVENTS)),
    st.tuples(st.just("repeat"), st.none()),
    st.tuples(st.just("heard"), st.sampled_from(["", "some of it"])),
)


def perform(dialogue: GraphDialogue, step: tuple[str, Any], last: Reply | None) -> Reply | None:
    name, value = step
    match name:
        case "results":
            return dialogue.results([(call, value) for call in (last.calls if last else ())])
        case "inject":
            return dialogue.inject(value, {"x": 1})
        case "repeat":
            return dialogue.repeat()
        case "heard":
            dialogue.heard(value)
            return None
        case _:
            return getattr(dialogue, name)(value)  # type: ignore[no-any-return]


def sound(dialogue: GraphDialogue, reply: Reply | None) -> None:
    if reply is not None:
        assert not (reply.ask and reply.calls)
        assert not (reply.ends and (reply.ask or reply.calls))
        if reply.ask:
            assert reply.ask.messages[-1].role in ("user", "tool")
            assert not reply.ask.must_call or reply.ask.tools
    assert set(dialogue.context) == {"current_node_id", "path", "variables"}
    assert dialogue.context["path"][-1] == dialogue.context["current_node_id"]
    dialogue.judge("four or")


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(graphs(), st.lists(steps, max_size=12), st.lists(steps, max_size=4))
def test_no_call_breaks_the_dialogue_and_going_back_is_exact(
    graph: GraphPlan, way: list[tuple[str, Any]], detour: list[tuple[str, Any]]
) -> None:
    dialogue = GraphDialogue(graph, TOOLS, {"size": "7"}, TODAY)
    last: Reply | None = dialogue.opening()
    sound(dialogue, last)
    for step in way:
        mark = dialogue.mark()
        assert isinstance(mark, State)
        before = (dict(mark.slots), dict(mark.context), mark)
        reply = last
        for other in detour:
            reply = perform(dialogue, other, reply)
            sound(dialogue, reply)
        dialogue.rewind(mark)
        assert (dict(mark.slots), dict(mark.context), dialogue.mark()) == before
        first = perform(dialogue, step, last)
        after = dialogue.mark()
        dialogue.rewind(mark)
        assert perform(dialogue, step, last) == first
        assert dialogue.mark() == after
        sound(dialogue, first)
        last = first
