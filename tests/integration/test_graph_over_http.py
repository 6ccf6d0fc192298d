"""A graph's questions on the wire: the real client against a server that is strict about the protocol."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from ringback.agents.chat import Ask, ChatText, ToolCall
from ringback.agents.compile import compile_plan
from ringback.agents.definition import read
from ringback.agents.plan import GraphPlan
from ringback.agents.tools import HttpTool, ToolResult, ToolSpec
from ringback.conversation.dialogue.dialogue import ModelAnswer, Reply
from ringback.conversation.dialogue.graph import GraphDialogue
from ringback.llm.openai_compatible import OpenAICompatible
from tests.support import agent_definitions as bodies
from tests.support.agent_definitions import task
from tests.support.chat_server import Answer, call, chat_server, events, stream

BOOK = HttpTool(
    ToolSpec("book", "Books a table.", {"type": "object", "properties": {"day": {}}, "required": ["day"]}),
    "https://example.com/book",
    "POST",
)
GRAPH: dict[str, Any] = {
    "provider": "custom",
    "model": "big",
    "routing_model": "small",
    "routing_max_tokens": 60,
    "routing_instructions": "Route for {restaurant}.",
    "agent_information": "You work for {restaurant}.",
    "current_node_id": "greet",
    "variable_types": {"guests": "number"},
    "nodes": [
        {
            "id": "greet",
            "prompt": "Ask what they want.",
            "examples": {"en": ["How may I help?"]},
            "edges": [
                {
                    "to_node_id": "ask day",
                    "condition": "They want a table",
                    "parameters": {"guests": "number"},
                },
                {"to_node_id": "paid", "condition_type": "event", "event_name": "paid"},
            ],
        },
        {
            "id": "ask day",
            "prompt": "Ask for the day.",
            "edges": [{"to_node_id": "book", "condition": "A day"}],
        },
        {"id": "book", "prompt": "Confirm.", "function_call": "book"},
        {"id": "paid", "node_type": "static", "static_message": "Thank you for paying."},
    ],
}


def plan() -> GraphPlan:
    body = bodies.scripted()
    task(body)["tools_config"]["llm_agent"]["llm_config"] = GRAPH
    compiled = compile_plan("a1", read(body)).dialogue
    assert isinstance(compiled, GraphPlan)
    return compiled


async def answered(chat: OpenAICompatible, ask: Ask) -> ModelAnswer:
    pieces = [piece async for piece in chat.stream(ask)]
    text = "".join(piece.text for piece in pieces if isinstance(piece, ChatText))
    return ModelAnswer(text, tuple(piece for piece in pieces if isinstance(piece, ToolCall)))


async def spoken(chat: OpenAICompatible, dialogue: GraphDialogue, reply: Reply) -> str:
    """Follow a reply to the end of the agent's turn, as the core does; the functions all succeed."""
    said = [reply.text]
    while reply.ask or reply.calls:
        if reply.ask:
            answer = await answered(chat, reply.ask)
            said.append(answer.text if reply.ask.spoken else "")
            reply = dialogue.answered(answer)
        else:
            reply = dialogue.results(
                [(one, ToolResult('{"table": 4}', values={"table": 4})) for one in reply.calls]
            )
        said.append(reply.text)
    text = " ".join(part for part in said if part)
    dialogue.heard(text)
    return text


async def test_a_call_from_the_definition_to_the_wire() -> None:
    answers = [
        Answer(stream(call(0, "c1", "transition_to_ask_day", '{"guests": 4}'), finish="tool_calls")),
        Answer(events("For which day?")),
        Answer(stream(call(0, "c2", "transition_to_book", "{}"), finish="tool_calls")),
        Answer(stream(call(0, "c3", "book", '{"day": "Friday"}'), finish="tool_calls")),
        Answer(events("Table four is yours.")),
    ]
    async with chat_server(*answers) as server:
        chat = OpenAICompatible("custom", server.url, None)
        dialogue = GraphDialogue(plan(), {"book": BOOK}, {"restaurant": "Chez Ada"}, date(2026, 11, 24))
        assert dialogue.opening() == Reply()
        dialogue.heard("Good evening.")
        first = await spoken(chat, dialogue, dialogue.answer("A table for four."))
        second = await spoken(chat, dialogue, dialogue.answer("On Friday."))
        await chat.close()
    assert (first, second) == ("For which day?", "Table four is yours.")
    assert server.wrong == []
    assert dialogue.slots == {"guests": 4}
    assert dialogue.context["path"] == ["greet", "ask day", "book"]
    assert dialogue.context["variables"]["table"] == 4
    route, speech, _, arguments, last = server.requests
    assert (route["model"], route["max_tokens"], route["temperature"]) == ("small", 60, 0)
    assert route["tool_choice"] == "required"
    assert route["messages"][0]["content"].startswith("Route for Chez Ada.")
    assert (speech["model"], speech.get("tools")) == ("big", [json.loads(json.dumps(speech["tools"]))[0]])
    assert speech["messages"][0]["content"] == "You work for Chez Ada.\n\nAsk for the day."
    assert [tool["function"]["name"] for tool in arguments["tools"]] == ["book"]
    assert [message["role"] for message in last["messages"]][-2:] == ["assistant", "tool"]


async def test_a_model_that_answers_in_words_instead_of_a_choice() -> None:
    async with chat_server(Answer(events("They want a table."))) as server:
        chat = OpenAICompatible("custom", server.url, None)
        dialogue = GraphDialogue(plan(), {"book": BOOK}, {}, date(2026, 11, 24))
        dialogue.opening()
        route = dialogue.answer("I want a table")
        assert route.ask is not None
        reply = dialogue.answered(await answered(chat, route.ask))
        await chat.close()
    assert server.wrong == []
    assert "Route for NULL." in server.requests[0]["messages"][0]["content"]
    assert [entry.type for entry in reply.log][:2] == ["error", "event"]
    assert dialogue.context["current_node_id"] == "ask day"
