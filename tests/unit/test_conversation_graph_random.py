"""Random graphs, random calls: the dialogue never raises, asks nothing that a strict server refuses, and going back is
exact. Graphs come from a seed, which Hypothesis chooses and prints: its own strategies draw too few long calls."""

from __future__ import annotations

from collections import Counter
from datetime import date
from random import Random
from typing import Any

from hypothesis import given, settings
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
from ringback.conversation.dialogue.dialogue import ModelAnswer, Reply
from ringback.conversation.dialogue.graph import GraphDialogue
from ringback.conversation.dialogue.graph_state import State
from ringback.llm.request import body_of
from tests.support.chat_rules import check_request

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
CONDITIONS = ("they agree", "they want to cancel", "a 4-digit code", "anything else", "")
HEARD: tuple[Condition, ...] = (
    Affirmative(),
    Negative(),
    Anything(),
    Date(),
    Number(digits=4),
    Number(1, 9),
    Keywords(("cancel",)),
)
STEPS = (
    "answer",
    "answer",
    "answer",
    "answered",
    "answered",
    "unanswered",
    "results",
    "inject",
    "repeat",
    "heard",
)


def condition(random: Random) -> Condition:
    match random.randrange(6):
        case 0 | 1:
            return random.choice(HEARD)
        case 2:
            return Always()
        case 3:
            return Event(random.choice(EVENTS))
        case 4:
            operator: Any = random.choice(["eq", "gte", "exists", "not_exists", "in", "contains"])
            comparison = Comparison(random.choice(VARIABLES), operator, random.choice([1, 2, "x", None, [1]]))
            return Expression(random.choice(["and", "or"]), (comparison,))
    parameters: Any = random.choice([{}, {"size": {"type": "number"}}])
    return Llm(random.choice(CONDITIONS), random.choice(["go_1", "go_2"]), "", parameters)


def edge(random: Random) -> Edge:
    slots: Any = random.choice([{}, {"size": None}, {"x": 1}])
    return Edge(random.choice(NAMES), condition(random), random.choice([0, 0, 50, 100]), slots)


def node(random: Random, name: str, with_model: bool) -> Node:
    return Node(
        name,
        random.choice(["static", "router", "llm", "llm"] if with_model else ["static", "static", "router"]),
        random.choice(["", f"Message of {name}, {{size}}."]),
        random.choice(["", "Again?"]),
        random.randint(0, 2),
        "Prompt.",
        tuple(edge(random) for _ in range(random.randint(0, 4))),
        function=random.choice([None, None, None, "book", "end_call"]),
        repeat_after_s=random.choice([None, 3.0]),
    )


def graph(random: Random) -> GraphPlan:
    with_model = random.random() < 0.7
    chat = ChatSettings("m") if with_model else None
    types: Any = random.choice([{}, {"size": "number", "x": "boolean"}])
    made = {name: node(random, name, with_model) for name in NAMES}
    language = random.choice(["en", "fr", "hi", "xx"])
    return GraphPlan("p", "a", made, chat=chat, routing=chat, language=language, variable_types=types)


def call(random: Random) -> ToolCall:
    arguments: Any = random.choice([{}, {"size": "12"}, {"size": None}, {"size": ["x"]}, {"day": "x"}])
    return ToolCall("1", random.choice(["go_1", "go_2", STAY, "book", "end_call", "nonsense"]), arguments)


def step(random: Random, last: Reply | None) -> tuple[str, tuple[Any, ...]]:
    """The name of a method and what it is given. What the last reply waits for comes first, as a rule."""
    name = random.choice(STEPS)
    if last is not None and random.random() < 0.7:
        name = "answered" if last.ask else "results" if last.calls else name
    match name:
        case "answer":
            return name, (random.choice(TEXTS),)
        case "answered":
            calls = tuple(call(random) for _ in range(random.randint(0, 2)))
            return name, (ModelAnswer(random.choice(["", "Well."]), calls),)
        case "unanswered":
            return name, ("away",)
        case "results":
            values: Any = random.choice([{}, {"size": 3}, {"x": "maybe"}])
            result = ToolResult("done", random.random() < 0.3, None, values)
            return name, ([(made, result) for made in (last.calls if last else ())],)
        case "inject":
            return name, (random.choice(EVENTS), {"x": 1})
        case "heard":
            return name, (random.choice(["", "some of it"]),)
    return name, ()


def perform(dialogue: GraphDialogue, given: tuple[str, tuple[Any, ...]]) -> Reply | None:
    reply: Reply | None = getattr(dialogue, given[0])(*given[1])
    check(dialogue, reply)
    return reply


def check(dialogue: GraphDialogue, reply: Reply | None) -> None:
    if reply is not None:
        assert not (reply.ask and reply.calls)
        assert not (reply.ends and (reply.ask or reply.calls))
        if reply.ask:
            assert check_request(body_of(reply.ask)) == []
    assert dialogue.context["path"][-1] == dialogue.context["current_node_id"]
    dialogue.judge("four or")


def play(seed: int, seen: Counter[str]) -> None:
    random = Random(seed)
    dialogue = GraphDialogue(graph(random), TOOLS, {"size": "7"}, TODAY)
    last: Reply | None = dialogue.opening()
    check(dialogue, last)
    for _ in range(12):
        mark = dialogue.mark()
        assert isinstance(mark, State)
        slots, context = dict(mark.slots), dict(mark.context)
        reply = last
        for _ in range(random.randint(0, 3)):
            reply = perform(dialogue, step(random, reply))
        dialogue.rewind(mark)
        assert (dialogue.slots, dialogue.mark()) == (slots, mark)
        assert mark.context == context
        given = step(random, last)
        first = perform(dialogue, given)
        after = dialogue.mark()
        dialogue.rewind(mark)
        assert perform(dialogue, given) == first
        assert dialogue.mark() == after
        if first is not None:
            seen["asks"] += first.ask is not None
            seen["routes"] += first.ask is not None and first.ask.must_call
            seen["calls"] += bool(first.calls)
            seen["ends"] += first.ends
        if given[0] != "heard":
            last = first


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_no_call_breaks_the_dialogue_and_going_back_is_exact(seed: int) -> None:
    play(seed, Counter())


def test_the_random_calls_come_by_everything() -> None:
    seen: Counter[str] = Counter()
    for seed in range(300):
        play(seed, seen)
    assert min(seen[what] for what in ("asks", "routes", "calls", "ends")) >= 100, seen
