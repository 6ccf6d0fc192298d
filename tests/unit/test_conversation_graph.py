"""A graph with a language model: what it is asked, what its answers do, what is remembered."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from ringback.agents.chat import Ask, ChatMessage, ChatSettings, ToolCall, ToolSpec
from ringback.agents.plan import (
    STAY,
    Affirmative,
    Always,
    Comparison,
    Edge,
    Event,
    Expression,
    GraphPlan,
    Keywords,
    Llm,
    Node,
    Number,
)
from ringback.agents.tools import EndCall, HttpTool, ToolResult
from ringback.conversation.dialogue.dialogue import DialogueError, ModelAnswer, Reply
from ringback.conversation.dialogue.graph import GIVING_UP, GraphDialogue

TODAY = date(2026, 11, 24)
CHAT = ChatSettings("big")
ROUTING = ChatSettings("small", temperature=0.0)
BOOK = HttpTool(
    ToolSpec(
        "book", "Books.", {"type": "object", "properties": {"day": {}, "name": {}}, "required": ["day"]}
    ),
    "https://example.com/book",
    "POST",
)
END = EndCall(ToolSpec("end_call", "Ends the call.", {"type": "object", "properties": {}}))


def graph(start: str, *nodes: Node, **more: Any) -> GraphPlan:
    settings = {"chat": CHAT, "routing": ROUTING, "information": "You are {name}."} | more
    return GraphPlan("openai", start, {node.id: node for node in nodes}, **settings)


def talk(plan: GraphPlan, *tools: HttpTool | EndCall, **variables: Any) -> GraphDialogue:
    return GraphDialogue(plan, {tool.spec.name: tool for tool in tools}, {"name": "Ada", **variables}, TODAY)


def asked(reply: Reply | None) -> Ask:
    assert reply is not None
    assert reply.ask is not None
    return reply.ask


def llm(name: str, *edges: Edge, **more: Any) -> Node:
    return Node(name, "llm", prompt=f"Prompt of {name}.", edges=edges, **more)


def static(name: str, *edges: Edge, **more: Any) -> Node:
    return Node(name, "static", f"{name}.", edges=edges, **more)


def to(node: str, condition: str = "", **parameters: str) -> Edge:
    schemas = {name: {"type": kind} for name, kind in parameters.items()}
    return Edge(node, Llm(condition or f"goes to {node}", f"transition_to_{node}", parameters=schemas), 100)


def takes(node: str, **arguments: Any) -> ModelAnswer:
    return ModelAnswer("", (ToolCall("1", f"transition_to_{node}", arguments),))


STAYS = ModelAnswer("", (ToolCall("1", STAY, {}),))


def test_a_route_and_then_the_word_of_the_node_it_leads_to() -> None:
    plan = graph(
        "a", llm("a", to("b", "they want b", size="number")), llm("b"), routing_instructions="Hi {x}."
    )
    dialogue = talk(plan)
    assert dialogue.opening() == Reply()
    dialogue.heard("Welcome.")
    route = asked(dialogue.answer("I want b"))
    assert (route.spoken, route.must_call, route.settings) == (False, True, ROUTING)
    assert [tool.name for tool in route.tools] == ["transition_to_b", STAY]
    assert route.tools[0].description == "they want b"
    assert route.tools[0].parameters == {
        "type": "object",
        "properties": {"size": {"type": "number"}},
        "required": ["size"],
    }
    assert route.messages[0].content.startswith("Hi NULL.")
    assert "Prompt of a." in route.messages[0].content
    assert route.messages[1:] == (ChatMessage("assistant", "Welcome."), ChatMessage("user", "I want b"))
    speech = asked(dialogue.answered(takes("b", size="12")))
    assert (speech.spoken, speech.must_call, speech.settings, speech.tools) == (True, False, CHAT, ())
    assert speech.messages[0] == ChatMessage("system", "You are Ada.\n\nPrompt of b.")
    assert speech.messages[-1] == ChatMessage("user", "I want b")
    assert dialogue.answered(ModelAnswer("Here is b.")) == Reply()
    assert dialogue.slots == {"size": 12}


def test_staying_in_an_llm_node_is_answered_there() -> None:
    dialogue = talk(graph("a", llm("a", to("b")), llm("b")))
    dialogue.opening()
    for _ in range(5):
        asked(dialogue.answer("hm"))
        assert "Prompt of a." in asked(dialogue.answered(STAYS)).messages[0].content
        assert dialogue.answered(ModelAnswer("Well.")) == Reply()


def test_an_llm_node_without_llm_edges_asks_nobody_where_to_go() -> None:
    dialogue = talk(graph("a", llm("a", Edge("b", Keywords(("stop",)))), static("b")))
    dialogue.opening()
    assert asked(dialogue.answer("hello")).spoken
    dialogue.answered(ModelAnswer("Hello."))
    reply = dialogue.answer("please stop")
    assert (reply.text, reply.ends, reply.ask) == ("b.", True, None)


def test_an_llm_node_without_edges_talks_on() -> None:
    dialogue = talk(graph("a", llm("a")))
    dialogue.opening()
    for _ in range(3):
        assert asked(dialogue.answer("hello")).spoken
        assert dialogue.answered(ModelAnswer("Hello.")) == Reply()


def test_edges_after_the_model_s_are_tried_when_it_stays() -> None:
    before, after = Edge("x", Keywords(("now",))), Edge("y", Keywords(("later",)), 200)
    node = static("a", to("b"), before, after)
    nodes = [node, llm("b"), static("x"), static("y")]
    assert talk(graph("a", *nodes)).answer("now").text == "x."
    dialogue = talk(graph("a", *nodes))
    asked(dialogue.answer("later"))
    assert dialogue.answered(STAYS).text == "y."


def test_a_static_node_says_itself_again_when_the_model_stays() -> None:
    dialogue = talk(graph("a", static("a", to("b"), reprompt="Again?", max_reprompts=1), llm("b")))
    dialogue.answer("hm")
    assert dialogue.answered(STAYS).text == "Again?"
    dialogue.answer("hm")
    assert dialogue.answered(STAYS) == Reply(GIVING_UP, ends=True, log=dialogue_log(dialogue))


def dialogue_log(dialogue: GraphDialogue) -> tuple[Any, ...]:
    """What the same turn logs again."""
    dialogue.answer("hm")
    return dialogue.answered(STAYS).log


def test_an_unconditional_edge_of_an_llm_node_waits_for_an_answer() -> None:
    dialogue = talk(graph("a", static("a", Edge("b", Always())), llm("b", Edge("c", Always())), llm("c")))
    reply = dialogue.opening()
    assert reply.text == "a."
    assert "Prompt of b." in asked(reply).messages[0].content
    assert asked(reply).messages[1] == ChatMessage("assistant", "a.")
    assert asked(reply).messages[-1].role == "user"
    dialogue.answered(ModelAnswer("Who are you?"))
    assert "Prompt of c." in asked(dialogue.answer("Bob")).messages[0].content


def test_a_router_asks_at_most_once_in_a_turn() -> None:
    first = Node("r", "router", edges=(to("s"), Edge("end", Always())))
    second = Node("s", "router", edges=(to("b"), Edge("c", Always())))
    nodes = [static("a", Edge("r", Affirmative())), first, second, llm("b"), static("c"), static("end")]
    dialogue = talk(graph("a", *nodes))
    assert not asked(dialogue.answer("yes")).spoken
    assert dialogue.answered(takes("s")).text == "c."


def test_a_router_whose_model_stays_takes_its_unconditional_edge() -> None:
    router = Node("r", "router", edges=(Edge("end", Always(), 0), to("b")))
    dialogue = talk(graph("a", static("a", Edge("r", Affirmative())), router, llm("b"), static("end")))
    asked(dialogue.answer("yes"))
    assert dialogue.answered(STAYS).text == "end."


def test_a_router_at_the_opening_goes_by_what_is_known() -> None:
    hours = Expression("and", (Comparison("recipient_data.current_hour", "gte", 18),))
    router = Node("r", "router", edges=(to("b"), Edge("closed", hours), Edge("a", Always())))
    nodes = [router, static("closed"), llm("a"), llm("b")]
    late = talk(graph("r", *nodes), current_hour=20).opening()
    assert (late.text, late.ends) == ("closed.", True)
    dialogue = talk(graph("r", *nodes), current_hour=9)
    early = dialogue.opening()
    assert (early.text, early.ask) == ("", None)
    assert dialogue.context["current_node_id"] == "a"


def test_counters_in_expressions() -> None:
    often = Edge("b", Expression("and", (Comparison("_node_turns", "gte", 3),)))
    dialogue = talk(graph("a", llm("a", often), static("b")))
    assert [dialogue.answer("hm").text for _ in range(3)] == ["", "", "b."]


# Events


def test_an_event_takes_its_edge_and_the_agent_speaks() -> None:
    edges = (Edge("late", Event("paid"), 5), Edge("b", Event("paid")), to("late"))
    dialogue = talk(graph("a", llm("a", *edges), llm("b"), static("late")))
    dialogue.opening()
    assert dialogue.inject("unknown", {"x": 1}) is None
    reply = dialogue.inject("paid", {"amount": 12})
    speech = asked(reply)
    assert "Prompt of b." in speech.messages[0].content
    assert speech.messages[-1].content == '[Event paid: {"amount": 12}]'
    variables = dialogue.context["variables"]
    assert (variables["x"], variables["amount"], variables["event_name"]) == (1, 12, "paid")
    assert variables["event"] == {"amount": 12}
    assert dialogue.context["path"] == ["a", "b"]


def test_speech_never_takes_an_event_edge_and_does_not_give_up_on_it() -> None:
    dialogue = talk(graph("a", static("a", Edge("b", Event("paid"))), static("b")))
    assert [dialogue.answer("hm").text for _ in range(4)] == ["a."] * 4


def test_what_an_event_brings_may_lead_on() -> None:
    expression = Expression("and", (Comparison("event.state", "eq", "done"),))
    dialogue = talk(graph("a", llm("a", Edge("b", expression)), static("b")))
    dialogue.opening()
    assert dialogue.inject("form", {"state": "open"}) is None
    reply = dialogue.inject("form", {"state": "done"})
    assert reply is not None
    assert reply.text == "b."


# Silence


def test_silence_repeats() -> None:
    often = Edge("bye", Expression("and", (Comparison("_silence_repeats", "gte", 2),)))
    dialogue = talk(graph("a", static("a", often, to("a"), repeat_after_s=4.0), static("bye")))
    dialogue.opening()
    assert dialogue.repeat_after_s == 4.0
    first, second = dialogue.repeat(), dialogue.repeat()
    assert first is not None
    assert second is not None
    assert (first.text, first.ends) == ("a.", False)
    assert (second.text, second.ends) == ("bye.", True)
    assert dialogue.repeat_after_s is None
    assert dialogue.repeat() is None


def test_repeats_are_counted_anew_at_every_node() -> None:
    often = Edge("bye", Expression("and", (Comparison("_silence_repeats", "gte", 2),)))
    first = static("a", Edge("b", Affirmative()), often, repeat_after_s=4.0)
    dialogue = talk(
        graph("a", first, static("b", often, Edge("b", Affirmative()), repeat_after_s=4.0), static("bye"))
    )
    dialogue.opening()
    dialogue.repeat()
    assert dialogue.answer("yes").text == "b."
    reply = dialogue.repeat()
    assert reply is not None
    assert reply.text == "b."


def test_an_llm_node_speaks_again_after_silence() -> None:
    dialogue = talk(graph("a", llm("a", repeat_after_s=5.0)))
    dialogue.opening()
    dialogue.heard("Welcome.")
    assert asked(dialogue.repeat()).messages[-1].role == "user"


# Functions


def test_a_node_calls_its_function_with_what_is_known() -> None:
    booked = Edge("ok", Expression("and", (Comparison("book.failed", "eq", False),)))
    nodes = [
        static("a", Edge("b", Number(), slots={"day": None})),
        static("b", booked, Edge("sorry", Always()), function="book"),
        Node("ok", "static", "Your code is {code}."),
        static("sorry"),
    ]
    dialogue = talk(graph("a", *nodes), BOOK)
    reply = dialogue.answer("4")
    (call,) = reply.calls
    assert (reply.text, call.name, call.arguments) == ("b.", "book", {"day": 4, "name": "Ada"})
    done = dialogue.results([(call, ToolResult("{}", status=200, values={"code": "77"}))])
    assert (done.text, done.ends) == ("Your code is 77.", True)
    dialogue = talk(graph("a", *nodes), BOOK)
    (call,) = dialogue.answer("4").calls
    assert dialogue.results([(call, ToolResult("no room", failed=True))]).text == "sorry."


def test_the_model_finds_the_arguments_that_are_missing() -> None:
    dialogue = talk(graph("a", llm("a", to("b")), llm("b", function="book")), BOOK)
    dialogue.answer("tomorrow please")
    ask = asked(dialogue.answered(takes("b")))
    assert (ask.must_call, ask.spoken, ask.tools) == (True, False, (BOOK.spec,))
    reply = dialogue.answered(ModelAnswer("", (ToolCall("9", "book", {"day": "2026-11-25"}),)))
    (call,) = reply.calls
    assert call.arguments == {"day": "2026-11-25", "name": "Ada"}
    speech = asked(dialogue.results([(call, ToolResult("no room", failed=True, status=409))]))
    assert [message.role for message in speech.messages] == ["system", "user", "assistant", "tool"]
    assert speech.messages[-1] == ChatMessage("tool", "no room", call_id=call.id)
    assert dialogue.context["variables"]["book"] == {"failed": True, "status": 409}


def test_the_model_calls_functions_of_its_node() -> None:
    here = replace(BOOK, nodes=frozenset({"a"}))
    elsewhere = replace(END, nodes=frozenset({"b"}))
    dialogue = talk(graph("a", llm("a"), llm("b")), here, elsewhere)
    dialogue.opening()
    assert asked(dialogue.answer("book it")).tools == (BOOK.spec,)
    call = ToolCall("1", "book", {"day": "Monday"})
    assert dialogue.answered(ModelAnswer("One moment.", (call,))) == Reply(calls=(call,))
    for _ in range(5):
        assert asked(dialogue.results([(call, ToolResult("done"))])).tools == (BOOK.spec,)
        dialogue.answered(ModelAnswer("", (call,)))
    assert asked(dialogue.results([(call, ToolResult("done"))])).tools == ()


def test_ending_the_call() -> None:
    dialogue = talk(
        graph("a", llm("a", Edge("b", Affirmative())), static("b", Edge("a", Always()), function="end_call")),
        END,
    )
    dialogue.opening()
    dialogue.answer("bye")
    assert dialogue.answered(ModelAnswer("Bye!", (ToolCall("1", "end_call", {}),))).ends
    reply = dialogue.answer("yes")
    assert (reply.text, reply.ends) == ("b.", True)


def test_what_was_said_before_a_call_is_told_once() -> None:
    dialogue = talk(graph("a", llm("a")), BOOK, END)
    dialogue.opening()
    dialogue.answer("book it")
    calls = (ToolCall("1", "book", {"day": "Monday"}), ToolCall("2", "end_call", {}))
    reply = dialogue.answered(ModelAnswer("One moment.", calls))
    assert (reply.calls, reply.ends) == (calls[:1], False)
    during = asked(dialogue.results([(calls[0], ToolResult("done"))]))
    assert during.messages[2].content == "One moment."
    dialogue.answered(ModelAnswer("Booked."))
    dialogue.heard("One moment. Booked.")
    dialogue.answer("again")
    reply = dialogue.answered(ModelAnswer("", calls[:1]))
    later = asked(dialogue.results([(calls[0], ToolResult("done"))])).messages
    assert [message.content for message in later if message.role == "assistant"] == [
        "",
        "One moment. Booked.",
        "",
    ]
    assert later[-1].call_id != "1"


# Types


def test_values_take_the_types_of_the_definition() -> None:
    plan = graph(
        "a",
        llm("a", to("b", age="number", vip="boolean")),
        llm("b", Edge("a", Event("x"))),
        variable_types={"score": "number", "recipient_data.limit": "number"},
    )
    dialogue = talk(plan, limit="12")
    dialogue.answer("hi")
    reply = dialogue.answered(takes("b", age="forty", vip="yes", invented=1))
    assert dialogue.slots == {"age": "forty", "vip": True}
    assert "variable 'age': 'forty' is not a number" in [entry.data for entry in reply.log]
    dialogue.inject("x", {"score": "7.5"})
    assert dialogue.context["variables"]["score"] == 7.5


# Without the model


def test_a_model_that_fails_to_route_is_replaced_by_words() -> None:
    dialogue = talk(
        graph(
            "a",
            static("a", to("b", "the person agrees"), to("c", "they want to cancel")),
            llm("b"),
            static("c"),
        )
    )
    dialogue.answer("I need to cancel that")
    reply = dialogue.unanswered("The language model is away.")
    assert reply is not None
    assert reply.text == "c."
    assert [entry.type for entry in reply.log] == ["error", "event", "event"]
    assert reply.log[1].data == "matched without a language model: 'c' by the words cancel"
    assert json.loads(reply.log[2].data)["condition"] == "llm"


def test_an_answer_that_names_no_edge_is_replaced_by_words() -> None:
    dialogue = talk(graph("a", static("a", to("b", "the person agrees")), static("b")))
    dialogue.answer("yes")
    reply = dialogue.answered(ModelAnswer("I would say b.", (ToolCall("1", "nonsense", {}),)))
    assert reply.text == "b."


def test_a_model_that_fails_to_speak_cannot_be_replaced() -> None:
    dialogue = talk(graph("a", llm("a")))
    dialogue.answer("hello")
    assert dialogue.unanswered("away") is None


@pytest.mark.parametrize(
    ("condition", "text", "slots"),
    [
        ("The customer agrees to the visit", "yes please", {}),
        ("The customer declines", "no thanks", {}),
        ("Customer provides a 4-digit code", "it's 4 2 7 1", {"code": "4271"}),
        ("The caller gives a date", "next Monday", {"day": "2026-11-30"}),
        ("Preferred time was given", "at half past three", {"at": "15:30"}),
        ("Says 'operator' or 'human'", "a human please", {"word": "human"}),
        ("User wants to reschedule", "can we reschedule", {}),
        ("the number of guests", "there are five of us", {"guests": 5}),
        ("anything else", "the weather", {}),
    ],
)
def test_llm_edges_without_a_language_model(condition: str, text: str, slots: dict[str, Any]) -> None:
    kinds = {"code": "string", "day": "string", "at": "string", "word": "string", "guests": "integer"}
    edge = to("b", condition, **{name: kinds[name] for name in slots})
    plan = graph("a", static("a", edge), static("b"), chat=None, routing=None)
    dialogue = talk(plan)
    reply = dialogue.answer(text)
    assert reply.text == "b."
    assert dialogue.slots == slots
    assert "matched without a language model" in reply.log[0].data
    assert talk(plan).answer("mumble").text == ("b." if condition == "anything else" else "a.")


def test_giving_up_in_the_agent_s_language() -> None:
    plan = graph("a", static("a", Edge("b", Affirmative()), max_reprompts=0), static("b"), language="de")
    assert talk(plan).answer("Apfelkuchen").text.startswith("Es tut mir leid")
    assert talk(plan).answer("Ja, gerne.").text == "b."


# Going back and what is refused


def test_rewinding_takes_everything_back() -> None:
    dialogue = talk(graph("a", llm("a", to("b", size="number")), llm("b")))
    dialogue.opening()
    dialogue.heard("Welcome.")
    mark = dialogue.mark()
    first = dialogue.answer("twelve")
    dialogue.answered(takes("b", size=12))
    dialogue.heard("So twelve")
    dialogue.rewind(mark)
    assert dialogue.slots == {}
    assert dialogue.answer("twelve") == first


def test_what_is_not_honoured_is_logged_once() -> None:
    dialogue = talk(graph("a", llm("a"), notes=("rag_config is ignored",)))
    assert [entry.data for entry in dialogue.opening().log] == ["rag_config is ignored"]
    assert dialogue.answer("hm").log == ()


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (graph("a", llm("a"), chat=None), "node 'a' needs a language model, and the agent has none"),
        (
            graph("a", llm("a", function="fly")),
            "node 'a' calls the function 'fly', which the agent does not have",
        ),
    ],
)
def test_graphs_that_no_call_can_follow(plan: GraphPlan, message: str) -> None:
    with pytest.raises(DialogueError, match=message):
        talk(plan)
