"""Agents, their language models and the people they call: one of each for every way that a conversation may go."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support import agent_definitions
from tests.support.agent_definitions import task
from tests.support.callees import Person
from tests.support.chat_server import Answer, call, events, refusal, stream

LLM_KEY = "sk-key-of-the-installation"
TOOL_TOKEN = "Bearer token-of-the-function"
GOODBYE = "Goodbye from the parcel desk."


def agent(welcome: str, llm: dict[str, Any], prompt: str, **talk: Any) -> dict[str, Any]:
    """With the embedded ears and voice."""
    body = agent_definitions.scripted()
    body["agent_config"]["agent_welcome_message"] = welcome
    body["agent_prompts"]["task_1"]["system_prompt"] = prompt
    task(body)["tools_config"]["llm_agent"] = llm
    task(body)["tools_config"]["synthesizer"]["provider_config"] = {"voice": "heart"}
    task(body)["task_config"] = {"hangup_after_silence": 15, **talk}
    return body


def simple(model: str = "big", **config: Any) -> dict[str, Any]:
    return {"agent_type": "simple_llm_agent", "llm_config": {"provider": "custom", "model": model, **config}}


def function(name: str, **parameters: str) -> dict[str, Any]:
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    return {"name": name, "description": f"Can {name}.", "key": "custom_task", "parameters": schema}


def last(request: dict[str, Any], role: str) -> str:
    """What that side said last."""
    return next((m["content"] or "" for m in reversed(request["messages"]) if m["role"] == role), "")


# 1. The parcel desk: functions, fillers, a goodbye


def parcel_desk(find_url: str, reserve_url: str) -> dict[str, Any]:
    body = agent(
        "Hello {name}, this is the parcel desk. What can I do for you?",
        simple(),
        "You help {name} with parcels.",
        use_fillers=True,
        call_hangup_message=GOODBYE,
    )
    end = {"name": "end_call", "description": "Ends the call.", "key": "end_call", "parameters": {}}
    task(body)["tools_config"]["api_tools"] = {
        "tools": [function("find_parcel", code="integer"), function("reserve", day="string"), end],
        "tools_params": {
            "find_parcel": {
                "url": f"{find_url}/parcels",
                "method": "GET",
                "api_token": TOOL_TOKEN,
                "param": {"code": "%(code)i", "who": "%(name)s"},
                "pre_call_message": "I will look it up.",
            },
            "reserve": {"url": f"{reserve_url}/reservations", "method": "POST", "param": {"day": "%(day)s"}},
        },
    }
    return body


FOUND = b'{"city": "Hamburg"}'
RESERVED = b'{"reserved": true}'


def parcel_model(request: dict[str, Any]) -> Answer:
    results = [m["content"] for m in request["messages"] if m["role"] == "tool"]
    if request["messages"][-1]["role"] == "tool":
        if "Hamburg" in results[-1]:
            said = events("Your parcel is in Hamburg. ", "Shall I bring it on Monday?", usage=(80, 12))
        elif "reserved" in results[-1]:
            said = events("It comes on Monday. ", "Is there anything else?", usage=(120, 9))
        else:
            said = events("I cannot look that up today. ", "I am sorry.", usage=(90, 9))
        return Answer(said)
    if not results:
        wanted = stream(call(0, "call_1", "find_parcel", '{"code": 7}'), finish="tool_calls", usage=(50, 5))
        return Answer([1.4, *wanted])
    if len(results) == 1:
        wanted = stream(call(0, "call_2", "reserve", '{"day": "Monday"}'), finish="tool_calls", usage=(99, 5))
        return Answer(wanted)
    return Answer(stream(call(0, "call_3", "end_call", "{}"), finish="tool_calls", usage=(130, 3)))


async def wants_parcel(person: Person) -> None:
    await person.listens()
    await person.says("Where is my parcel number seven, please?")
    await person.listens(3.0)
    await person.says("Yes, please do that.")
    await person.listens(3.0)
    await person.says("No, that was everything.")


async def is_refused(person: Person) -> None:
    await person.listens()
    await person.says("Where is my parcel number seven, please?")
    await person.listens(3.0)
    await person.hangs_up()


# 2 and 3. The restaurant: a graph, with a language model and without one


def restaurant(provider: str, **model: str) -> dict[str, Any]:
    pay: dict[str, Any] = {
        "id": "pay",
        "edges": [
            {"to_node_id": "done", "condition_type": "event", "event_name": "payment_received"},
        ],
    }
    if provider == "scripted":
        pay |= {"node_type": "static", "static_message": "I have sent you a link to pay."}
    else:
        pay |= {"node_type": "llm", "prompt": "Say that {guests} guests are noted and a link was sent."}
    graph = {
        "provider": provider,
        **model,
        "agent_information": "You work for Chez Ada.",
        "current_node_id": "ask",
        "context_data": {"largest": 6},
        "variable_types": {"guests": "number", "amount": "number"},
        "nodes": [
            {
                "id": "ask",
                "node_type": "static",
                "static_message": "Would you like to book a table, or cancel one?",
                "edges": [
                    {
                        "to_node_id": "size",
                        "condition_type": "llm",
                        "condition": "The person wants to book a table for a number of guests",
                        "parameters": {"guests": "number"},
                    },
                    {
                        "to_node_id": "cancel",
                        "condition_type": "llm",
                        "condition": "The person wants to cancel",
                    },
                ],
            },
            {
                "id": "size",
                "node_type": "router",
                "edges": [
                    {
                        "to_node_id": "large",
                        "condition_type": "expression",
                        "expression": {
                            "logic": "and",
                            "conditions": [{"variable": "guests", "operator": "gt", "value": 6}],
                        },
                    },
                    {"to_node_id": "pay", "condition_type": "unconditional"},
                ],
            },
            {
                "id": "large",
                "node_type": "static",
                "static_message": "For {guests} guests I need a deposit.",
                "edges": [{"to_node_id": "pay", "condition_type": "unconditional"}],
            },
            pay,
            {"id": "done", "node_type": "static", "static_message": "{amount} euros have arrived. Goodbye."},
            {"id": "cancel", "node_type": "static", "static_message": "It is cancelled. Goodbye."},
        ],
    }
    return agent("Good evening.", {"agent_type": "graph_agent", "llm_config": graph}, "")


def restaurant_model(request: dict[str, Any]) -> Answer:
    if request.get("tool_choice") == "required":
        chosen = call(0, "call_1", "transition_to_size", '{"guests": "8"}')
        return Answer(stream(chosen, finish="tool_calls", usage=(70, 6)))
    return Answer(events("Eight guests are noted. ", "I have sent you a link to pay.", usage=(60, 14)))


async def books_table(person: Person) -> None:
    await person.listens()
    await person.says("I want to book a table for eight guests, please.")


# 4. Language models that fail


def stranger(base_url: str, **more: str) -> dict[str, Any]:
    return agent("Hello, how may I help you?", simple(base_url=base_url, **more), "You help.")


def dying_model(request: dict[str, Any]) -> Answer:
    if len(request["messages"]) <= 3:
        return Answer(events("We are open until eight. ", "What else?", usage=(40, 9)))
    return Answer(events("On Sunday we are open ", "from ", finish=False), breaks=True)


def dead_model(request: dict[str, Any]) -> Answer:
    return refusal(503, "overloaded")


def second_model(request: dict[str, Any]) -> Answer:
    return Answer(events("We are open until eight. ", "What else?", usage=(41, 9)))


async def asks_twice(person: Person) -> None:
    await person.listens()
    await person.says("When do you close today?")
    await person.listens(2.0)
    await person.says("And are you open on Sunday as well?")


async def asks_once(person: Person) -> None:
    await person.listens()
    await person.says("When do you close today?")
    await person.listens(2.0)
    await person.hangs_up()


# 5. People who say nothing, and people who say a lot


def quiet(base_url: str) -> dict[str, Any]:
    return agent(
        "Hello, how may I help you?",
        simple(base_url=base_url),
        "You help.",
        hangup_after_silence=4,
        trigger_user_online_message_after=3,
        check_user_online_message="Are you still there?",
        call_hangup_message="I hear nothing, goodbye.",
        ambient_noise=True,
        ambient_noise_track="coffee-shop",
    )


async def says_nothing(person: Person) -> None:
    await asyncio.sleep(60)


MONOLOGUE = (
    "Well, last week I ordered a pair of shoes from your shop, and when the box arrived on Tuesday morning"
    " it was completely wet, so I called the driver, and he said that the rain had come into his van,"
    " and that I should write to you, which I did on the same day, and nobody has answered me."
)


def patient(base_url: str) -> dict[str, Any]:
    return agent(
        "Hello, please tell me what happened.",
        simple(base_url=base_url),
        "You listen.",
        backchanneling=True,
        backchanneling_start_delay=3,
        backchanneling_message_gap=4,
    )


def patient_model(request: dict[str, Any]) -> Answer:
    return Answer(events("I am sorry to hear that. ", "I will send you new shoes.", usage=(100, 12)))


async def complains(person: Person) -> None:
    await person.listens()
    await person.says(MONOLOGUE)
    await person.listens(2.0)
    await person.hangs_up()


LINES = (
    "Where is my parcel number seven, please?",
    "Yes, please do that.",
    "No, that was everything.",
    "I want to book a table for eight guests, please.",
    "When do you close today?",
    "And are you open on Sunday as well?",
    MONOLOGUE,
)
