"""A graph without a language model: which node follows, what is said, what is remembered."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from ringback.agents.plan import (
    Affirmative,
    Always,
    Anything,
    Comparison,
    Date,
    Edge,
    Expression,
    GraphPlan,
    Keywords,
    Negative,
    Node,
    Number,
    Time,
)
from ringback.conversation.dialogue.dialogue import DialogueError, Reply
from ringback.conversation.dialogue.graph import GIVING_UP, GraphDialogue

TODAY = date(2026, 11, 24)


def graph(start: str, *nodes: Node) -> GraphPlan:
    return GraphPlan("scripted", start, {node.id: node for node in nodes})


def talk(plan: GraphPlan, **variables: Any) -> GraphDialogue:
    return GraphDialogue(plan, {}, variables, TODAY)


def static(name: str, message: str, *edges: Edge, **rest: Any) -> Node:
    return Node(name, "static", message, edges=edges, **rest)


END = static("end", "Goodbye.")


def adult(operator: Any = "gte") -> Expression:
    return Expression("and", (Comparison("age", operator, 18),))


def test_an_appointment() -> None:
    dialogue = talk(
        graph(
            "day",
            static("day", "Which day, {name}?", Edge("time", Date(), slots={"day": None, "asked": "day"})),
            static("time", "On {day}, at what time?", Edge("bye", Time(), slots={"time": None})),
            static("bye", "See you on {day} at {time}."),
        ),
        name="Ada",
    )
    assert dialogue.opening() == Reply("Which day, Ada?")
    assert dialogue.answer("May third").text == "On Monday, May 3, at what time?"
    last = dialogue.answer("at half past three")
    assert (last.text, last.ends) == ("See you on Monday, May 3 at 3:30 PM.", True)
    assert dialogue.slots == {"day": "2027-05-03", "asked": "day", "time": "15:30"}


def test_an_edge_that_is_taken_is_logged() -> None:
    dialogue = talk(
        graph("ask", static("ask", "Code?", Edge("end", Number(digits=2), slots={"c": None})), END)
    )
    (entry,) = dialogue.answer("4 2").log
    assert (entry.type, entry.component) == ("event", "graph_routing")
    assert json.loads(entry.data) == {
        "from": "ask",
        "to": "end",
        "condition": "number",
        "heard": "4 2",
        "slots": {"c": "42"},
    }


def test_the_lower_priority_is_tried_first_and_equal_ones_in_order() -> None:
    edges = [Edge("any", Anything(), 100), Edge("no", Negative(), 5), Edge("yes", Affirmative(), 5)]
    nodes = [static(name, f"{name}.") for name in ("any", "no", "yes")]
    for said, expected in [("yes", "yes."), ("no", "no."), ("the weather", "any.")]:
        assert talk(graph("ask", static("ask", "Well?", *edges), *nodes)).answer(said).text == expected


def test_reprompts_then_the_unconditional_edge() -> None:
    edges = (Edge("end", Affirmative()), Edge("other", Always()))
    node = static("ask", "Yes or no?", *edges, reprompt="Sorry, yes or no?", max_reprompts=2)
    dialogue = talk(graph("ask", node, END, static("other", "Somebody will call you.")))
    assert dialogue.opening().text == "Yes or no?"
    assert [dialogue.answer("purple").text for _ in range(3)] == [
        "Sorry, yes or no?",
        "Sorry, yes or no?",
        "Somebody will call you.",
    ]


def test_reprompts_count_anew_at_every_node() -> None:
    first = static("a", "A?", Edge("b", Affirmative()), max_reprompts=1)
    second = static("b", "B?", Edge("end", Affirmative()), max_reprompts=1)
    dialogue = talk(graph("a", first, second, END))
    said = [dialogue.answer(text).text for text in ("purple", "yes", "purple", "purple")]
    assert said == ["A?", "B?", "B?", GIVING_UP]


def test_giving_up_hangs_up() -> None:
    dialogue = talk(graph("a", static("a", "A?", Edge("end", Affirmative()), max_reprompts=0), END))
    assert dialogue.answer("purple").ends


def test_nodes_that_need_no_answer_are_said_together() -> None:
    dialogue = talk(
        graph(
            "hello",
            static("hello", "Hello.", Edge("route", Always())),
            Node("route", "router", edges=(Edge("adult", adult()), Edge("child", Always(), 100))),
            static("adult", "Shall we begin?", Edge("end", Affirmative())),
            static("child", "Bring your parents."),
            END,
        ),
        age="42",
    )
    reply = dialogue.opening()
    assert (reply.text, reply.ends) == ("Hello. Shall we begin?", False)
    assert [json.loads(entry.data)["to"] for entry in reply.log] == ["route", "adult"]


def test_a_slot_decides_at_once() -> None:
    edges = (Edge("end", adult()), Edge("child", Expression("or", (Comparison("age", "lt", 18),))))
    plan = graph(
        "ask",
        static("ask", "How old are you?", Edge("check", Number(), slots={"age": None})),
        Node("check", "router", edges=(*edges, Edge("end", Always(), 100))),
        static("child", "Too young."),
        END,
    )
    assert talk(plan).answer("seventeen").text == "Too young."
    assert talk(plan).answer("forty two").text == "Goodbye."


def test_a_circle_ends() -> None:
    dialogue = talk(
        graph("a", static("a", "A.", Edge("b", Always())), static("b", "B.", Edge("a", Always())))
    )
    reply = dialogue.opening()
    assert reply.ends
    assert reply.log[-1].type == "error"


def test_rewinding_forgets_the_slots() -> None:
    ask = static("ask", "Number?", Edge("again", Number(), slots={"n": None}))
    dialogue = talk(graph("ask", ask, static("again", "And?", Edge("end", Keywords(("stop",)))), END))
    mark = dialogue.mark()
    dialogue.answer("four")
    dialogue.rewind(mark)
    assert dialogue.slots == {}
    assert dialogue.answer("four two").text == "And?"
    assert dialogue.slots == {"n": 42}


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (graph("x"), "starts at node 'x', which does not exist"),
        (graph("a", static("a", "A", Edge("b", Always()))), "node 'a' leads to 'b', which does not exist"),
        (graph("a", Node("a", "llm", prompt="Hi")), "node 'a' needs a language model"),
    ],
)
def test_graphs_that_cannot_be_talked_by(plan: GraphPlan, message: str) -> None:
    with pytest.raises(DialogueError, match=message):
        talk(plan)
