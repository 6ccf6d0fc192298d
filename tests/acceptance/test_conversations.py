"""Real calls of every kind of agent at once: `ringback serve`, a SIP trunk, embedded ears and voice, language models
and functions behind real HTTP servers. What a client sees of them, and what an operator reads afterwards."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from ringback.conversation.core.phrases import phrases_for
from ringback.demo.run import free_udp_port
from tests.support import conversed
from tests.support.agent_definitions import task
from tests.support.callees import Script, callees, voiced
from tests.support.chat_server import Brain, ChatServer, chat_server
from tests.support.conversed import GOODBYE, LLM_KEY, TOOL_TOKEN
from tests.support.description import described_as
from tests.support.http_server import HttpServer, Page, http_server
from tests.support.installation import Installation, installation
from tests.support.records import SEED_LIST_SCHEMA

pytestmark = pytest.mark.realtime

APOLOGY = phrases_for("en").apology
_CALL_S = 150
"""All calls together; about 40 s where nobody else wants the cores."""
_PAID = {"event": "payment_received", "properties": {"amount": "40"}}


@dataclass(frozen=True)
class Call:
    """What a call left behind."""

    record: dict[str, Any]
    """The only one in the agent's list."""
    log: list[dict[str, Any]]
    recording: Path

    def rows(self, component: str, *types: str) -> list[str]:
        wanted = types or ("request", "response", "event", "error")
        return [row["data"] for row in self.log if row["component"] == component and row["type"] in wanted]

    @property
    def turns(self) -> list[dict[str, Any]]:
        return [json.loads(data) for data in self.rows("system", "event") if data.startswith('{"role"')]

    def said(self, role: str) -> list[str]:
        return [turn["text"] for turn in self.turns if turn["role"] == role]

    @property
    def way(self) -> list[tuple[str, str, str]]:
        steps = [json.loads(data) for data in self.rows("graph_routing") if data.startswith("{")]
        return [(step["from"], step["condition"], step["to"]) for step in steps]

    @property
    def hangup(self) -> tuple[str, str, int]:
        end = self.record["telephony_data"]
        return end["hangup_by"], end["hangup_reason"], end["hangup_provider_code"]


@dataclass
class World:
    """All calls by name, and what the servers beside them were asked."""

    calls: dict[str, Call] = field(default_factory=dict)
    models: dict[str, ChatServer] = field(default_factory=dict)
    functions: dict[str, HttpServer] = field(default_factory=dict)
    injected: dict[str, dict[str, Any]] = field(default_factory=dict)
    mute: dict[str, Any] = field(default_factory=dict)
    """The record of an agent whose voice there is not."""
    printed: str = ""
    """What the platform's processes wrote."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The calls are made once, side by side."""
    folder, sounds = tmp_path_factory.mktemp("conversations"), voiced(conversed.LINES)
    world = World()
    asyncio.run(_run(world, folder, sounds))
    world.printed = (folder / "serve.txt").read_text()
    return world


async def _run(world: World, folder: Path, sounds: Mapping[str, Any]) -> None:
    async with AsyncExitStack() as stack:

        async def model(name: str, brain: Brain) -> str:
            world.models[name] = await stack.enter_async_context(chat_server(brain=brain))
            return world.models[name].url

        async def server(name: str, page: Page) -> str:
            world.functions[name] = await stack.enter_async_context(http_server(page))
            return world.functions[name].url

        own = await model("parcels", conversed.parcel_model)
        restaurant = {"base_url": await model("restaurant", conversed.restaurant_model)}
        dead, second = (
            await model("dead", conversed.dead_model),
            await model("second", conversed.second_model),
        )
        find = await server("find", Page(conversed.FOUND))
        reserve = await server("reserve", Page(conversed.RESERVED, wait_s=2.5))
        forbidden = find.replace("127.0.0.1", "127.0.0.2")
        fallback = {"fallback_model": "other", "fallback_base_url": second, "fallback_provider": "groq"}
        calls: dict[str, tuple[dict[str, Any], Script]] = {
            "parcel": (conversed.parcel_desk(find, reserve), conversed.wants_parcel),
            "refused": (conversed.parcel_desk(forbidden, reserve), conversed.is_refused),
            "graph": (
                conversed.restaurant("custom", model="big", routing_model="small", **restaurant),
                conversed.books_table,
            ),
            "scripted": (conversed.restaurant("scripted"), conversed.books_table),
            "dying": (
                conversed.stranger(await model("dying", conversed.dying_model)),
                conversed.asks_twice,
            ),
            "dead": (conversed.stranger(dead), conversed.asks_once),
            "fallback": (conversed.stranger(dead, **fallback), conversed.asks_once),
            "quiet": (conversed.quiet(second), conversed.says_nothing),
            "patient": (
                conversed.patient(await model("patient", conversed.patient_model)),
                conversed.complains,
            ),
        }
        numbers = {name: f"+155501002{n:02}" for n, name in enumerate(calls)}
        scripts = {numbers[name]: script for name, (_, script) in calls.items()}
        port = free_udp_port()
        await stack.enter_async_context(callees(port, scripts, sounds))
        settings = {
            "LLM__BASE_URL": own,
            "LLM__API_KEY": LLM_KEY,
            "OUTBOUND__ALLOW": '["127.0.0.1"]',
            "LATENESS_LIMIT_MS": "1000",  # what others do on this machine is no matter of this test
        }
        house = await stack.enter_async_context(installation(folder, port, settings))
        mute = conversed.stranger(second)
        task(mute)["tools_config"]["synthesizer"]["provider_config"] = {"voice": "nobody"}
        _, execution_id = await house.place(mute, "+15550100299", {})
        world.mute = await house.over(execution_id, _CALL_S)

        async def one(name: str) -> None:
            agent_id, execution_id = await house.place(calls[name][0], numbers[name], {"name": "Daniel"})
            if name in ("graph", "scripted"):
                await house.logged(execution_id, "sent you a link", _CALL_S)
                world.injected[name] = await house.ask("POST", f"/v1/call/{execution_id}/events", json=_PAID)
            world.calls[name] = await _left_behind(house, agent_id, execution_id)

        await asyncio.gather(*(one(name) for name in calls))


async def _left_behind(house: Installation, agent_id: str, execution_id: str) -> Call:
    await house.over(execution_id, _CALL_S)
    listed = await house.ask("GET", f"/agent/{agent_id}/executions")
    jsonschema.validate(listed, SEED_LIST_SCHEMA)
    [record] = listed
    [recording] = house.folder.glob(f"data/recordings/**/{execution_id}*.wav")
    return Call(record, await house.log(execution_id), recording)


CALLS = ("parcel", "refused", "graph", "scripted", "dying", "dead", "fallback", "quiet", "patient")


# What is true of every call


@pytest.mark.parametrize("name", CALLS)
def test_record_and_log_are_as_described(world: World, name: str) -> None:
    call = world.calls[name]
    assert call.record["status"] == "completed"
    described_as("ExecutionV1", call.record)
    for row in call.log:
        described_as("LogLine", row)


@pytest.mark.parametrize("name", CALLS)
def test_transcript_and_log_tell_the_same_talk(world: World, name: str) -> None:
    call = world.calls[name]
    assert call.record["transcript"].splitlines() == [
        f"{turn['role']}: {turn['text']}" for turn in call.turns
    ]
    assert not any(turn["interrupted"] for turn in call.turns)


@pytest.mark.parametrize("name", CALLS)
def test_the_log_begins_with_the_dial_and_says_nothing_empty(world: World, name: str) -> None:
    log = world.calls[name].log
    states = [row["data"] for row in log if " -> " in row["data"] and row["component"] == "system"]
    assert [row["data"] for row in log[:4]] == [
        "queued",
        "queued -> initiated",
        "initiated -> ringing",
        "ringing -> in-progress",
    ], "nobody speaks before the call is answered"
    assert states[-1] == log[-1]["data"] == "call-disconnected -> completed"
    assert [row for row in log if not row["data"].strip()] == []


@pytest.mark.parametrize("name", CALLS)
def test_no_secret_is_told(world: World, name: str) -> None:
    call = world.calls[name]
    for secret in (LLM_KEY, TOOL_TOKEN.removeprefix("Bearer ")):
        assert secret not in json.dumps(call.record) + json.dumps(call.log) + world.printed


def test_the_processes_say_nothing_of_single_requests_and_nothing_breaks(world: World) -> None:
    assert "/chat/completions" not in world.printed
    assert "Traceback" not in world.printed
    assert " ERROR " not in world.printed


def test_nobody_is_dialled_by_an_agent_that_cannot_speak(world: World) -> None:
    assert world.mute["status"] == "error"
    assert world.mute["error_message"] == 'The synthesizer has no voice "nobody"; it has "heart"'
    assert world.mute["telephony_data"]["provider_call_id"] is None


# 1. Functions of a simple agent


def test_functions_are_requested_and_told(world: World) -> None:
    [find], [reserve] = world.functions["find"].requests, world.functions["reserve"].requests
    assert (find.method, find.path) == ("GET", "/parcels?code=7&who=Daniel")
    assert find.headers["authorization"] == TOOL_TOKEN
    assert (reserve.method, reserve.json) == ("POST", {"day": "Monday"})
    call = world.calls["parcel"]
    assert [(r["type"], r["tool_name"], r["data"]) for r in call.log if r["component"] == "tool"] == [
        ("request", "find_parcel", '{"code": 7}'),
        ("response", "find_parcel", conversed.FOUND.decode()),
        ("request", "reserve", '{"day": "Monday"}'),
        ("response", "reserve", conversed.RESERVED.decode()),
    ]


def test_waits_are_covered_and_the_end_is_said(world: World) -> None:
    call = world.calls["parcel"]
    welcome, found, booked, goodbye = call.said("assistant")
    assert welcome == "Hello Daniel, this is the parcel desk. What can I do for you?"
    assert found.split(". ", 1)[0].split(", ")[0] in ("Well, I will look it up", "Well", "Let me see", "Hmm")
    assert found.endswith("I will look it up. Your parcel is in Hamburg. Shall I bring it on Monday?")
    assert booked == "One moment, please. It comes on Monday. Is there anything else?"
    assert goodbye == GOODBYE
    assert call.hangup == ("API Request", "end_call_tool", 4000)
    assert call.record["error_message"] is None


def test_the_model_is_told_the_way_it_was_heard(world: World) -> None:
    last = next(r for r in reversed(world.models["parcels"].requests) if len(r["messages"]) > 8)
    roles = [message["role"] for message in last["messages"]]
    turn = ["user", "assistant", "tool", "assistant"]
    assert roles == ["system", "assistant", *turn, *turn, "user"]
    assert "I will look it up. Your parcel is in Hamburg." in last["messages"][5]["content"]
    keys = {head["authorization"] for head in world.models["parcels"].headers}
    assert keys == {f"Bearer {LLM_KEY}"}


def test_tokens_are_counted(world: World) -> None:
    used = world.calls["parcel"].record["usage_breakdown"]
    counts = used["llm_model"]["big"]
    assert counts["input"] >= 50 + 80 + 99 + 120 + 130
    assert counts["output"] >= 5 + 12 + 5 + 9 + 3
    assert used["llm_tokens"] == counts["input"] + counts["output"]


def test_latency_is_complete(world: World) -> None:
    call = world.calls["parcel"]
    latency, heard = call.record["latency_data"], call.said("user")
    assert latency["time_to_first_audio"] >= 0
    assert len(latency["turns"]) == len(latency["transcriber"]["turns"]) == latency["summary"]["turns"] == 3
    assert [turn["turn"] for turn in latency["synthesizer"]["turns"]] == [-1, 1, 2, 3]
    assert [turn["turn"] for turn in latency["llm"]["turns"]] == [1, 2, 3]
    for turn, text in zip(latency["transcriber"]["turns"], heard, strict=True):
        assert turn["turn_latency"][-1]["text"] == text
    first, second, third = latency["turns"]
    assert first["first_token"] >= 1400, "also where it only called a function, and a filler was heard before"
    assert second["tools"] >= 2500
    assert first["tools"] is not None
    assert third["tools"] is None
    for turn in latency["turns"]:
        known = (turn[part] for part in ("endpointing", "first_audio", "overhead"))
        assert turn["total"] >= sum(known)


def test_a_forbidden_address_is_refused_and_the_call_goes_on(world: World) -> None:
    call = world.calls["refused"]
    [error] = call.rows("tool", "error")
    assert "127.0.0.2" in error
    assert "not allowed" in error
    told = [
        m["content"] for r in world.models["parcels"].requests for m in r["messages"] if m["role"] == "tool"
    ]
    assert error in told
    assert call.said("assistant")[-1].endswith("I cannot look that up today. I am sorry.")
    assert call.hangup == ("Callee", "Normal Hangup", 4000)


# 2 and 3. Graphs


WAY = [
    ("ask", "llm", "size"),
    ("size", "expression", "large"),
    ("large", "unconditional", "pay"),
    ("pay", "event", "done"),
]


@pytest.mark.parametrize("name", ["graph", "scripted"])
def test_a_graph_is_walked_to_its_end(world: World, name: str) -> None:
    call = world.calls[name]
    assert world.injected[name] == {
        "status": "accepted",
        "event": "payment_received",
        "run_id": call.record["id"],
    }
    # On a slow machine a step may be taken back, because the person went on speaking, and taken anew.
    assert call.way[-len(WAY) :] == WAY
    assert call.record["extracted_data"] == {"guests": 8}
    context = call.record["context_details"]["context_data"]
    assert (context["current_node_id"], context["path"]) == ("done", ["ask", "size", "large", "pay", "done"])
    assert context["variables"] == {
        "guests": 8,
        "amount": 40,
        "event": {"amount": "40"},
        "event_name": "payment_received",
    }
    assert "For 8 guests I need a deposit." in call.record["transcript"]
    assert call.said("assistant")[-1] == "40 euros have arrived. Goodbye."
    assert call.hangup == ("API Request", "end_call_tool", 4000)


def test_a_graph_asks_its_two_models(world: World) -> None:
    requests = world.models["restaurant"].requests
    assert {request["model"] for request in requests} == {"big", "small"}
    used = world.calls["graph"].record["usage_breakdown"]["llm_model"]
    assert used["big"]["input"] >= 60
    assert used["big"]["output"] >= 14
    assert used["small"]["input"] >= 70
    assert "matched without a language model" not in str(world.calls["graph"].log)
    routed = [
        row["type"] for row in world.calls["graph"].log if row["data"].startswith("transition_to_size(")
    ]
    assert set(routed) == {"response"}


def test_without_a_model_edges_are_guessed_and_the_log_says_so(world: World) -> None:
    call = world.calls["scripted"]
    guessed = {data for data in call.rows("graph_routing") if not data.startswith("{")}
    assert guessed == {"matched without a language model: 'size' by a number"}
    assert call.record["usage_breakdown"]["llm_tokens"] == 0


# 4. Language models that fail


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("dying", "The language model custom (big) cannot be reached, or broke the connection."),
        ("dead", "The language model custom (big) answered HTTP 503: overloaded"),
    ],
)
def test_a_model_that_fails_ends_in_an_apology_and_an_error(world: World, name: str, error: str) -> None:
    call = world.calls[name]
    assert call.said("assistant")[-1] == APOLOGY
    assert call.record["error_message"] == error
    assert call.rows("llm", "error") == [error]
    assert call.hangup == ("Error", "llm_error", 7011)


def test_another_model_takes_over(world: World) -> None:
    call = world.calls["fallback"]
    assert call.said("assistant")[1] == "We are open until eight. What else?"
    assert call.rows("llm", "error") == [
        "The language model custom (big) answered HTTP 503: overloaded. groq (other) answers instead."
    ]
    [answer] = [row for row in call.log if (row["component"], row["type"]) == ("llm", "response")]
    assert answer["provider"] == "groq"
    assert call.record["usage_breakdown"]["llm_model"] == {"other": {"input": 41, "output": 9}}
    assert call.record["error_message"] is None


# 5. Silence and talk


def test_a_silent_person_is_asked_and_hung_up_on(world: World) -> None:
    call = world.calls["quiet"]
    assert call.said("assistant") == [
        "Hello, how may I help you?",
        "Are you still there?",
        "I hear nothing, goodbye.",
    ]
    assert call.hangup == ("API Request", "inactivity_timeout", 4000)


@pytest.mark.parametrize(("name", "least", "most"), [("quiet", 100, 800), ("dead", 0, 0)])
def test_noise_lies_behind_silence_where_it_is_wanted(
    world: World, name: str, least: float, most: float
) -> None:
    """-42 dBov is 260 of 32768; what the agent says is some thousands."""
    with wave.open(str(world.calls[name].recording)) as file:
        both = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    spoken = both[8000:, 1].astype(np.float64)
    windows = spoken[: len(spoken) // 4000 * 4000].reshape(-1, 4000)
    assert least <= np.sqrt((windows**2).mean(axis=1)).min() <= most


def test_a_long_story_is_murmured_to_and_not_cut(world: World) -> None:
    call = world.calls["patient"]
    murmurs = call.rows("synthesizer", "event")
    assert murmurs
    assert all(murmur.startswith("backchannel: ") for murmur in murmurs)
    [story] = call.said("user")
    assert len(story.split()) > 45
    assert "Mhm" not in call.record["transcript"]
    assert call.said("assistant")[-1] == "I am sorry to hear that. I will send you new shoes."
