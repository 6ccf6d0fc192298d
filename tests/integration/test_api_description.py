"""The OpenAPI description: sound, true of what is rendered, at least as strict as the vendor's, and readable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.api.docs import page
from ringback.api.openapi import operations
from ringback.api.schemas.examples import EXAMPLES
from ringback.calls.outcomes import _HANGUP_BY
from ringback.executions.lifecycle import V1_STATUS, Status
from ringback.executions.record import CostBreakdown, Turn, UsageKind, UsageLine
from ringback.executions.rendering import render, v1
from ringback.executions.transfer import Transfer
from tests.support.api import Api
from tests.support.description import Json, Taken, closed, described, described_as, excess, referring
from tests.support.records import an_attempt, an_execution
from tests.support.vendor_description import DEVIATIONS, Deviation, vendor

OURS = described()
CLOSED = closed(OURS)


# What is rendered

words = st.text(max_size=8)
amounts = st.integers(0, 10**9)
moments = st.none() | st.integers(10**15, 3 * 10**15)
anything = st.dictionaries(
    words, st.none() | st.booleans() | st.integers() | words | st.lists(words, max_size=2), max_size=3
)
executions = st.fixed_dictionaries(
    {
        "status": st.sampled_from(list(Status)),
        "batch_id": st.none() | st.uuids().map(lambda batch: batch.hex),
        "call_type": st.sampled_from(["inbound", "outbound"]),
        "provider": words,
        "to_number": st.none() | st.just("+14155550123"),
        "from_number": st.none() | words,
        "hosted_telephony": st.booleans(),
        "recipient_data": anything,
        "context_data": st.none() | anything,
        "extracted_data": st.none() | anything,
        "summary": st.none() | words,
        "error_message": st.none() | words,
        "answered_by_voice_mail": st.booleans(),
        "termination_reason": st.none() | words,
        "scheduled_at": moments,
        "rescheduled_at": moments,
        "initiated_at": moments,
        "retry_config": st.none() | st.just(EXAMPLES["Execution"]["retry_config"]),
        "retry_count": st.integers(0, 3),
        "retry_history": st.none() | st.just(EXAMPLES["Execution"]["retry_history"]),
        "latency_data": st.none() | st.just(EXAMPLES["Execution"]["latency_data"]),
        "cost": st.builds(CostBreakdown, amounts, amounts, amounts, amounts, amounts),
    }
)
attempts = st.fixed_dictionaries(
    {
        "call_id": st.none() | words,
        "dialled_at": st.none() | st.just(1_705_972_478_000_000),
        "ringing_at": st.none() | st.just(1_705_972_480_400_000),
        "answered_at": st.none() | st.just(1_705_972_490_900_000),
        "ended_at": st.none() | st.just(1_705_972_599_000_000),
        "hangup_by": st.none() | st.sampled_from(sorted(set(_HANGUP_BY.values()))),
        "hangup_reason": st.none() | words,
        "hangup_provider_code": st.none() | st.integers(0, 9000),
        "sip_code": st.none() | st.integers(100, 699),
        "recording_path": st.none() | st.just("a.wav"),
        "recording_token": st.none() | st.just("secret"),
        "conversation_ms": st.integers(0, 10**8),
        "transfer_token": st.none() | st.just("secret"),
        "transfers": st.lists(
            st.builds(
                Transfer,
                st.sampled_from(["attended", "blind"]),
                st.just("+14155550177"),
                st.just("+14155550100"),
                words,
                words,
                st.just(1_705_972_492_000_000),
                st.sampled_from([status for status in Status if status not in V1_STATUS]),
                answered_at=st.none() | st.just(1_705_972_495_000_000),
                ended_at=st.none() | st.just(1_705_972_596_300_000),
                hangup_by=st.none()
                | st.sampled_from(["Caller", "Callee", "API Request", "Carrier", "Error"]),
                termination_reason=st.none() | words,
                recording_path=st.none() | st.just("b.wav"),
            ),
            max_size=2,
        ),
    }
)
turns = st.lists(st.builds(Turn, st.just(0), st.just("user"), words, st.just(0), st.just(1)), max_size=2)
usage = st.lists(
    st.builds(
        UsageLine,
        st.sampled_from(list(UsageKind)),
        words,
        words,
        st.sampled_from(["ms", "characters", "input_tokens", "output_tokens"]),
        st.integers(0, 10**6),
        st.just(0),
    ),
    max_size=4,
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(executions, attempts, turns, usage)
def test_what_is_rendered_is_described(
    execution: dict[str, Any], attempt: dict[str, Any], said: list[Turn], used: list[UsageLine]
) -> None:
    record = an_execution(**execution)
    body = render(record, an_attempt(**attempt), said, used, "https://ringback.example")
    described_as("Execution", json.loads(body))
    described_as("ExecutionV1", json.loads(v1(body, record.status)))


@pytest.mark.parametrize("name", ["Execution", "ExecutionV1"])
def test_a_key_more_or_less_is_not_what_is_described(name: str) -> None:
    """The test above would notice: of every object that is ours to the last key."""
    example = deepcopy(EXAMPLES[name])
    inner = ("telephony_data", "cost_breakdown", "usage_breakdown", "batch_run_details", "context_details")
    for holder in (example, *(example[key] for key in inner)):
        holder["news"] = 1
        with pytest.raises(jsonschema.ValidationError):
            described_as(name, example)
        del holder["news"]
        for key in holder.keys() - {"context_data"}:  # of graph agents only
            value = holder.pop(key)
            with pytest.raises(jsonschema.ValidationError):
                described_as(name, example)
            holder[key] = value
    described_as(name, example)


def test_the_statuses_of_both_versions() -> None:
    schemas = OURS["components"]["schemas"]
    assert schemas["Status"]["enum"] == list(Status)
    for name in ("ExecutionV1", "BatchRunDetailsV1"):
        v1_statuses = schemas[name]["properties"]["status"]["enum"]
        assert len(v1_statuses) == 11
        assert set(v1_statuses) == set(Status) - set(V1_STATUS)


# The description itself


def json_bodies(description: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            bodies = [("body", operation["requestBody"])] if "requestBody" in operation else []
            for part, holder in (*bodies, *operation["responses"].items()):
                if media := holder.get("content", {}).get("application/json"):
                    yield f"{method.upper()} {path} {part}", media


def test_every_body_has_a_schema_and_an_example_that_fits_it() -> None:
    for where, media in json_bodies(CLOSED):
        schema = referring(CLOSED, media["schema"])
        assert media["schema"], where
        jsonschema.Draft202012Validator(schema).validate(media["example"])


def test_no_schema_is_described_in_vain() -> None:
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(OURS)))
    assert named == set(OURS["components"]["schemas"])


def test_what_any_request_may_meet() -> None:
    for operation in operations(OURS):
        if "401" in operation["responses"]:
            assert {"429", "503"} <= operation["responses"].keys()
            assert "Retry-After" in operation["responses"]["429"]["headers"]
            assert ("408" in operation["responses"]) == ("requestBody" in operation)


async def test_the_examples_of_requests_work(api: Api) -> None:
    agent = await api.client.post("/v2/agent", json=EXAMPLES["AgentRequest"])
    assert agent.status_code == 201
    url = f"/v2/agent/{agent.json()['agent_id']}"
    assert (await api.client.put(url, json=EXAMPLES["AgentRequest"])).status_code == 200
    assert (await api.client.patch(url, json=EXAMPLES["AgentPatch"])).status_code == 200
    call = EXAMPLES["CallRequest"] | {"agent_id": agent.json()["agent_id"]}
    assert (await api.client.post("/call", json=call)).status_code == 200
    form = EXAMPLES["BatchRequest"] | {"agent_id": agent.json()["agent_id"]}
    batch = await api.client.post("/batches", files={"file": form.pop("file")}, data=form)
    assert batch.status_code == 201
    url = f"/batches/{batch.json()['batch_id']}/schedule"
    assert (await api.client.post(url, json=EXAMPLES["ScheduleRequest"])).status_code == 200


# Against the vendor's


def loose(theirs: Json) -> list[str]:
    """Where ours says less than theirs of an answer, or takes less in a request. Sizes of requests are ours to
    bound."""
    found: list[str] = []
    for path, methods in theirs["paths"].items():
        for method, their in methods.items():
            where, our = f"{method.upper()} {path}", OURS["paths"][path][method]
            found += _loose_answers(where, our, their, theirs)
            found += _loose_requests(where, our, their, theirs)
    return found


def _loose_answers(where: str, our: Json, their: Json, theirs: Json) -> Iterator[str]:
    for status in their["responses"]:
        if status.startswith("2") and status not in our["responses"]:
            yield f"{where} never answers {status}"
    for status, answer in our["responses"].items():
        if status not in their["responses"]:
            yield f"{where} answers {status}"
            continue
        schema = their["responses"][status].get("content", {}).get("application/json", {}).get("schema")
        if schema is not None:
            given = Taken(OURS, answer["content"]["application/json"]["schema"])
            yield from excess(given, Taken(theirs, schema), f"{where} {status} ", answer=True)


def _loose_requests(where: str, our: Json, their: Json, theirs: Json) -> Iterator[str]:
    taken = {(p["in"], p["name"]): p["schema"] for p in our.get("parameters", ())}
    for parameter in their.get("parameters", ()):
        key = (parameter["in"], parameter["name"])
        if key not in taken:
            yield f"{where} does not take {parameter['name']}"
            continue
        given, wide = Taken(theirs, parameter["schema"]), Taken(OURS, taken[key])
        yield from excess(given, wide, f"{where} {parameter['name']}", answer=False)
    if "requestBody" in their:
        [(kind, media)] = their["requestBody"]["content"].items()
        given = Taken(theirs, media["schema"])
        wide = Taken(OURS, our["requestBody"]["content"][kind]["schema"])
        yield from excess(given, wide, f"{where} body", answer=False)


def test_ours_is_at_least_as_strict_as_the_vendors() -> None:
    assert loose(vendor()) == []


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda deviation: deviation.why)
def test_every_deviation_is_still_needed(deviation: Deviation) -> None:
    assert loose(vendor([other for other in DEVIATIONS if other is not deviation])) != []


# The documentation


async def test_the_description_is_served(api: Api) -> None:
    answer = await api.nobody.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == OURS


async def test_the_documentation(api: Api) -> None:
    answer = await api.nobody.get("/docs")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert answer.text == page(OURS)
    for path, methods in OURS["paths"].items():
        for method in methods:
            assert f"<h3><b>{method.upper()}</b> <code" in answer.text
            assert f">{path}</code></h3>" in answer.text, path
    for name in OURS["components"]["schemas"]:
        assert f'<section id="{name}">' in answer.text
    assert EXAMPLES["Execution"]["transcript"].splitlines()[0] in answer.text


def test_the_documentation_takes_nothing_from_elsewhere() -> None:
    text = page(OURS)
    assert set(re.findall(r"<(script|img|link|iframe|object|embed|base|form)\b", text)) == set()
    assert {re.sub("#.*", "#", link) for link in re.findall(r'(?:href|src)="([^"]*)"', text)} == {
        "#",
        "openapi.json",
    }
    assert "url(" not in text
    assert "@import" not in text
    anchors = set(re.findall(r'id="([^"]*)"', text))
    assert set(re.findall(r'href="#([^"]*)"', text)) <= anchors
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    assert "style=" not in text.replace(style[0], "")


def test_text_of_a_description_never_becomes_markup() -> None:
    evil = json.loads(
        json.dumps(OURS).replace("Place", "<script>alert(1)</script>").replace("Call a", "<b>Call a")
    )
    assert "<script" not in page(evil)
