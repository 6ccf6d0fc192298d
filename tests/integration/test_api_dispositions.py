"""Dispositions over the API, on both databases (contract 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import pytest

from ringback.agents.disposition import Disposition, Option
from ringback.agents.disposition_fields import DispositionFields
from ringback.agents.dispositions import MOST_OF_AGENT
from ringback.agents.registry import Agent
from ringback.api.schemas.examples import EXAMPLES
from tests.support.api import Api, assert_refused, found_nothing
from tests.support.description import described_as

AT = "2026-11-24T04:04:05Z"
SENT: dict[str, Any] = {
    "name": "Call Outcome",
    "question": "How did it end?",
    "is_objective": True,
    "objective_options": [
        {
            "value": "interested",
            "condition": "They agreed",
            "sub_options": [{"value": "visit", "condition": "Somebody comes by"}],
        }
    ],
}
SHOWN: dict[str, Any] = {
    "name": "Call Outcome",
    "question": "How did it end?",
    "category": "General",
    "system_prompt": None,
    "model": "gpt-4.1-mini",
    "is_subjective": False,
    "is_objective": True,
    "subjective_type": "text",
    "subjective_type_config": None,
    "objective_options": [
        {
            "value": "interested",
            "condition": "They agreed",
            "sub_options": [{"value": "visit", "condition": "Somebody comes by", "sub_options": []}],
        }
    ],
}


async def created(api: Api, **fields: Any) -> str:
    answer = await api.client.post("/dispositions/", json=SENT | fields)
    assert answer.status_code == 201, answer.text
    described_as("DispositionCreated", answer.json())
    disposition_id: str = answer.json()["id"]
    return disposition_id


async def got(api: Api, disposition_id: str) -> dict[str, Any]:
    answer = await api.client.get(f"/dispositions/{disposition_id}")
    assert answer.status_code == 200, answer.text
    described_as("Disposition", answer.json())
    shown: dict[str, Any] = answer.json()
    return shown


async def ids_of(api: Api, agent_id: str | None = None) -> list[str]:
    params = {} if agent_id is None else {"agent_id": agent_id}
    answer = await api.client.get("/dispositions/", params=params)
    assert answer.status_code == 200, answer.text
    return [shown["id"] for shown in answer.json()]


# Creating


async def test_create_and_get(api: Api) -> None:
    agent = await api.agent()
    answer = await api.client.post("/dispositions/", json=SENT | {"agent_id": agent, "colour": "red"})
    shown = answer.json()
    assert (answer.status_code, shown.pop("message")) == (201, "Disposition created successfully")
    assert shown == SHOWN | {
        "id": shown["id"],
        "agent_ids": [agent],
        "created_by": api.account,
        "created_at": AT,
        "updated_at": AT,
    }
    for spelling in (shown["id"], shown["id"].replace("-", "").upper()):
        assert await got(api, spelling) == shown
    assert (await api.client.get("/dispositions/")).json() == [shown]


async def test_both_spellings_of_the_collection_without_a_redirect(api: Api) -> None:
    for path in ("/dispositions", "/dispositions/"):
        answer = await api.client.post(path, json=SENT)
        assert answer.status_code == 201
        listed = await api.client.get(path)
        assert (listed.status_code, listed.json()[-1]["id"]) == (200, answer.json()["id"])
        api.clock.us += 1


async def test_agents_by_either_name(api: Api) -> None:
    one, two, three = [await api.agent() for _ in range(3)]
    for sent, linked in (
        ({}, []),
        ({"agent_id": None, "agent_ids": []}, []),
        ({"agent_id": one}, [one]),
        ({"agent_ids": [two, one, two.replace("-", "")]}, [one, two]),
        ({"agent_id": three, "agent_ids": [one]}, [one, three]),
    ):
        disposition_id = await created(api, **sent)
        assert (await got(api, disposition_id))["agent_ids"] == sorted(linked)


async def test_the_list_of_an_agent(api: Api) -> None:
    one, two = await api.agent(), await api.agent()
    first = await created(api, agent_ids=[one, two])
    api.clock.us += 1
    second = await created(api, agent_id=one)
    await created(api)
    assert await ids_of(api, one) == [first, second]
    assert await ids_of(api, two) == [first]
    assert await ids_of(api, await api.agent()) == []
    assert len(await ids_of(api)) == 3


async def test_a_long_list_in_the_order_of_creation(api: Api) -> None:
    agent = await api.agent()
    made = []
    for _ in range(2):  # more than the store reads at a time
        dispositions = [SENT | {"name": str(number)} for number in range(MOST_OF_AGENT // 2)]
        body = {"agent_id": agent, "dispositions": dispositions}
        made += (await api.client.post("/dispositions/bulk", json=body)).json()["ids"]
        api.clock.us += 1_000_000
    assert await ids_of(api) == await ids_of(api, agent) == made
    assert [one.id for one in await api.services.dispositions.of_agent(api.account, agent)] == made


async def test_many_of_one_moment_are_all_listed(api: Api) -> None:
    fields = DispositionFields.model_validate(SENT)
    made = [await api.services.dispositions.create(api.account, [fields], []) for _ in range(65)]
    assert await ids_of(api) == sorted(stored.id for [stored] in made)


async def test_bulk(api: Api) -> None:
    agent, other = await api.agent(), await api.agent()
    items = [SENT | {"name": name, "agent_id": other} for name in ("c", "a", "b")]
    answer = await api.client.post("/dispositions/bulk", json={"agent_id": agent, "dispositions": items})
    assert answer.status_code == 201
    described_as("DispositionsCreated", answer.json())
    assert answer.json() == {"message": "Dispositions created successfully", "ids": await ids_of(api, agent)}
    assert [(await got(api, one))["name"] for one in answer.json()["ids"]] == ["c", "a", "b"]
    assert await ids_of(api, other) == []
    both = {"agent_ids": [agent, other], "dispositions": [SENT]}
    assert (await api.client.post("/dispositions/bulk", json=both)).json()["ids"] == await ids_of(api, other)


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"agent_id": None}, 422, "agent_id is required"),
        ({"agent_id": None, "agent_ids": []}, 422, "agent_id is required"),
        ({"agent_id": "42"}, 422, "agent_id must be a UUID"),
        ({"dispositions": []}, 422, "dispositions must hold at least 1 item(s)"),
        ({"dispositions": None}, 422, "dispositions is required"),
        ({"dispositions": [SENT] * (MOST_OF_AGENT + 1)}, 422, "dispositions must hold at most 100 items"),
        (
            {"dispositions": [SENT, SENT | {"objective_options": []}]},
            422,
            "dispositions[1].objective_options must hold at least 1 item where is_objective is true",
        ),
    ],
)
async def test_bulk_is_all_or_nothing(api: Api, change: dict[str, Any], status: int, message: str) -> None:
    body = {"agent_id": await api.agent(), "dispositions": [SENT, SENT]} | change
    before = await api.rows()
    assert_refused(await api.client.post("/dispositions/bulk", json=body), status, message)
    assert await api.rows() == before


async def test_an_agent_has_a_bound(api: Api) -> None:
    agent, other = await api.agent(), await api.agent()
    body = {"agent_id": agent, "dispositions": [SENT] * (MOST_OF_AGENT - 1)}
    assert (await api.client.post("/dispositions/bulk", json=body)).status_code == 201
    last = await created(api, agent_id=agent)
    unlinked = await created(api)
    text = f"agent_id: the agent {agent} would have more than 100 dispositions"
    for answer in (
        await api.client.post("/dispositions/", json=SENT | {"agent_ids": [other, agent]}),
        await api.client.post("/dispositions/bulk", json=body | {"dispositions": [SENT]}),
        await api.client.put(f"/dispositions/{unlinked}", json={"agent_ids": [agent]}),
    ):
        assert_refused(answer, 422, text)
    assert await ids_of(api, other) == []
    assert (await got(api, unlinked))["agent_ids"] == []
    scoped = await api.client.put(f"/dispositions/{last}", json={"agent_id": agent, "name": "x"})
    assert scoped.status_code == 200, "nothing more is linked"
    assert (await api.client.delete(f"/dispositions/{last}")).status_code == 200
    assert await created(api, agent_id=agent)


# Refusals


async def test_agents_of_others_are_403(api: Api) -> None:
    mine = await api.agent()
    theirs = (await api.stranger.post("/v2/agent", json=EXAMPLES["AgentRequest"])).json()["agent_id"]
    disposition_id = await created(api, agent_id=mine)
    path, before = f"/dispositions/{disposition_id}", await api.rows()
    for foreign in (theirs, str(uuid4())):
        text = f"The account has no agent {foreign}"
        for answer in (
            await api.client.get("/dispositions/", params={"agent_id": foreign}),
            await api.client.get(path, params={"agent_id": foreign}),
            await api.client.post("/dispositions/", json=SENT | {"agent_id": foreign}),
            await api.client.post("/dispositions/", json=SENT | {"agent_ids": [mine, foreign]}),
            await api.client.post("/dispositions/bulk", json={"agent_id": foreign, "dispositions": [SENT]}),
            await api.client.put(path, json={"name": "x", "agent_id": foreign}),
            await api.client.put(path, json={"name": "x", "agent_ids": [foreign]}),
        ):
            assert_refused(answer, 403, text)
    test = f"/v2/agent/{theirs}/dispositions/test"
    assert_refused(await api.client.post(test, json={"transcript": "x"}), 404, f"There is no agent {theirs}")
    assert await api.rows() == before
    assert (await got(api, disposition_id))["name"] == "Call Outcome"


async def test_dispositions_of_others_are_404(api: Api) -> None:
    agent = await api.agent()
    theirs = (await api.stranger.post("/dispositions/", json=SENT)).json()["id"]
    for disposition_id in (theirs, str(uuid4())):
        for method, body in (
            ("GET", None),
            ("PUT", {"name": "x"}),
            ("PUT", {"name": "x", "agent_id": agent}),
            ("PUT", {"agent_ids": [agent]}),
            ("DELETE", None),
        ):
            answer = await api.client.request(method, f"/dispositions/{disposition_id}", json=body)
            assert_refused(answer, 404, f"There is no disposition {disposition_id}")
    shown = (await api.stranger.get(f"/dispositions/{theirs}")).json()
    assert (shown["name"], shown["agent_ids"]) == ("Call Outcome", [])
    assert await ids_of(api) == await ids_of(api, agent) == []


async def test_bad_fields_are_422_and_bad_json_400(api: Api) -> None:
    disposition_id = await created(api)
    before = await api.rows()
    no_question = {key: value for key, value in SENT.items() if key != "question"}
    bad: Sequence[tuple[str, str, Any, str]] = [
        ("POST", "/dispositions/", no_question, "question is required"),
        (
            "POST",
            "/dispositions",
            SENT | {"is_objective": False},
            "is_subjective or is_objective must be true",
        ),
        ("POST", "/dispositions/", SENT | {"agent_id": "42"}, "agent_id must be a UUID"),
        ("POST", "/dispositions/", SENT | {"agent_ids": ["42"]}, "agent_ids[0] must be a UUID"),
        (
            "PUT",
            f"/dispositions/{disposition_id}",
            {"agent_id": 42, "name": "x"},
            "agent_id must be a string",
        ),
        ("PUT", f"/dispositions/{disposition_id}", {"model": ""}, "model must not be empty"),
        ("PUT", "/dispositions/42", {"name": "x"}, "disposition_id must be a UUID"),
        ("GET", "/dispositions/42", None, "disposition_id must be a UUID"),
        ("DELETE", "/dispositions/42", None, "disposition_id must be a UUID"),
        ("GET", "/dispositions/?agent_id=42", None, "agent_id must be a UUID"),
        ("POST", "/v2/agent/42/dispositions/test", {"transcript": "x"}, "agent_id must be a UUID"),
    ]
    for method, path, body, message in bad:
        answer = await api.client.request(method, path, json=body)
        assert_refused(answer, 422, message)
        assert answer.json()["details"]["problems"][0]["message"] == message
    for method, path in (
        ("POST", "/dispositions/"),
        ("POST", "/dispositions/bulk"),
        ("PUT", f"/dispositions/{disposition_id}"),
        ("POST", f"/v2/agent/{await api.agent()}/dispositions/test"),
    ):
        assert_refused(await api.client.request(method, path, content=b"{"), 400)
        assert_refused(await api.client.request(method, path, json=[]), 400, "The body must be a JSON object")
    assert await api.rows() == before | {"agents": before["agents"] + 1}


# Changing


async def test_put_changes_what_is_named_for_all_agents(api: Api) -> None:
    one, two = await api.agent(), await api.agent()
    disposition_id = await created(api, agent_ids=[one, two])
    before = await got(api, disposition_id)
    api.clock.us += 60_000_000
    answer = await api.client.put(
        f"/dispositions/{disposition_id}", json={"name": "Ending", "system_prompt": "Hm."}
    )
    described_as("DispositionUpdated", answer.json())
    after = before | {"name": "Ending", "system_prompt": "Hm.", "updated_at": "2026-11-24T04:05:05Z"}
    assert (answer.status_code, answer.json()) == (
        200,
        {"message": "Disposition updated successfully"} | after,
    )
    assert await got(api, disposition_id) == after
    assert await ids_of(api, one) == await ids_of(api, two) == [disposition_id]


async def test_put_of_what_get_returned_changes_nothing(api: Api) -> None:
    disposition_id = await created(api, agent_ids=[await api.agent(), await api.agent()])
    before = await got(api, disposition_id)
    api.clock.us += 60_000_000
    assert (await api.client.put(f"/dispositions/{disposition_id}", json=before)).status_code == 200
    assert await got(api, disposition_id) == before


async def test_put_without_a_field_is_400(api: Api) -> None:
    agent = await api.agent()
    disposition_id = await created(api, agent_id=agent)
    for body in ({}, {"agent_id": agent}, {"colour": "red", "id": disposition_id, "message": "x"}):
        answer = await api.client.put(f"/dispositions/{disposition_id}", json=body)
        assert_refused(answer, 400, "No valid fields provided to update")


async def test_put_that_makes_the_whole_wrong_is_422(api: Api) -> None:
    one, two = await api.agent(), await api.agent()
    disposition_id = await created(api, agent_ids=[one, two])
    before, rows = await got(api, disposition_id), await api.rows()
    for extra in ({}, {"agent_id": one}, {"agent_ids": []}):
        for body, message in (
            ({"is_objective": False}, "is_subjective or is_objective must be true"),
            (
                {"objective_options": None},
                "objective_options must hold at least 1 item where is_objective is true",
            ),
            ({"name": None}, "name is required"),
        ):
            answer = await api.client.put(f"/dispositions/{disposition_id}", json=body | extra)
            assert_refused(answer, 422, message)
    assert await got(api, disposition_id) == before
    assert await api.rows() == rows


async def test_scoped_put_of_an_exclusive_one_is_in_place(api: Api) -> None:
    agent = await api.agent()
    disposition_id = await created(api, agent_id=agent)
    body = {"agent_id": agent.upper().replace("-", ""), "name": "Ending", "agent_ids": []}
    answer = await api.client.put(f"/dispositions/{disposition_id}", json=body)
    assert (answer.status_code, answer.json()["id"]) == (200, disposition_id)
    shown = await got(api, disposition_id)
    assert (shown["name"], shown["agent_ids"]) == ("Ending", [agent])


async def test_scoped_put_of_a_shared_one_makes_a_copy(api: Api) -> None:
    one, two, three = [await api.agent() for _ in range(3)]
    original = await created(api, agent_ids=[one, two, three])
    before = await got(api, original)
    api.clock.us += 60_000_000
    answer = await api.client.put(f"/dispositions/{original}", json={"agent_id": two, "category": "Mine"})
    copy = answer.json()
    described_as("DispositionCopied", copy)
    assert (answer.status_code, copy.pop("message")) == (201, "Disposition copy created and linked to agent")
    later = "2026-11-24T04:05:05Z"
    assert copy == before | {
        "id": copy["id"],
        "category": "Mine",
        "agent_ids": [two],
        "created_at": later,
        "updated_at": later,
    }
    assert copy["id"] != original
    assert await got(api, copy["id"]) == copy
    assert await got(api, original) == before | {"agent_ids": sorted([one, three])}
    assert await ids_of(api, two) == [copy["id"]]
    assert await ids_of(api, one) == await ids_of(api, three) == [original]


async def test_scoped_to_an_agent_that_does_not_have_it_is_404(api: Api) -> None:
    agent, other = await api.agent(), await api.agent()
    disposition_id = await created(api, agent_id=agent)
    path, text = f"/dispositions/{disposition_id}", f"There is no disposition {disposition_id}"
    assert_refused(await api.client.put(path, json={"agent_id": other, "name": "x"}), 404, text)
    assert_refused(await api.client.get(path, params={"agent_id": other}), 404, text)
    assert (await api.client.get(path, params={"agent_id": agent})).status_code == 200


async def test_agent_ids_say_who_has_it_from_now_on(api: Api) -> None:
    one, two, three = [await api.agent() for _ in range(3)]
    disposition_id = await created(api, agent_ids=[one, two])
    for wanted in ([two, three], [three], [], [one, two, three]):
        answer = await api.client.put(f"/dispositions/{disposition_id}", json={"agent_ids": wanted})
        assert (answer.status_code, answer.json()["agent_ids"]) == (200, sorted(wanted))
        for agent in (one, two, three):
            assert await ids_of(api, agent) == ([disposition_id] if agent in wanted else [])


async def test_an_agent_that_is_deleted_leaves_its_dispositions(api: Api) -> None:
    one, two = await api.agent(), await api.agent()
    shared, own = await created(api, agent_ids=[one, two]), await created(api, agent_id=one)
    assert (await api.client.delete(f"/v2/agent/{one}")).status_code == 200
    assert (await got(api, shared))["agent_ids"] == [two]
    assert (await got(api, own))["agent_ids"] == []
    assert_refused(
        await api.client.get("/dispositions/", params={"agent_id": one}),
        403,
        f"The account has no agent {one}",
    )
    answer = await api.client.put(f"/dispositions/{shared}", json={"agent_id": two, "name": "x"})
    assert (answer.status_code, answer.json()["id"]) == (200, shared), "it is exclusive now"
    assert (await api.rows())["agent_dispositions"] == 1


async def test_while_a_deleted_agent_still_talks_it_counts_no_more(api: Api) -> None:
    """Its row goes when its last call is over."""
    one, two = await api.agent(), await api.agent()
    shared = await created(api, agent_ids=[one, two])
    async with api.db.transaction() as tx:
        await tx.execute("UPDATE agents SET status = 'deleted' WHERE id = :id", id=one)
    assert (await got(api, shared))["agent_ids"] == [two]
    assert_refused(
        await api.client.post("/dispositions/", json=SENT | {"agent_id": one}),
        403,
        f"The account has no agent {one}",
    )
    answer = await api.client.put(f"/dispositions/{shared}", json={"agent_id": two, "name": "x"})
    assert (answer.status_code, answer.json()["id"]) == (200, shared)
    answer = await api.client.put(f"/dispositions/{shared}", json={"agent_ids": [two], "name": "y"})
    assert (answer.status_code, answer.json()["agent_ids"]) == (200, [two])


async def test_delete(api: Api) -> None:
    agent = await api.agent()
    disposition_id, kept = await created(api, agent_id=agent), await created(api, agent_id=agent)
    answer = await api.client.delete(f"/dispositions/{disposition_id}")
    described_as("DispositionDeleted", answer.json())
    assert (answer.status_code, answer.json()) == (
        200,
        {"message": "Disposition deleted successfully", "id": disposition_id},
    )
    text = f"There is no disposition {disposition_id}"
    assert_refused(await api.client.delete(f"/dispositions/{disposition_id}"), 404, text)
    assert_refused(await api.client.get(f"/dispositions/{disposition_id}"), 404, text)
    assert await ids_of(api) == await ids_of(api, agent) == [kept]
    assert (await api.rows())["agent_dispositions"] == 1


async def test_the_agent_itself_shows_what_was_sent_in_it(api: Api) -> None:
    """Contract 7: null."""
    agent = await api.agent()
    await created(api, agent_id=agent)
    assert (await api.client.get(f"/v2/agent/{agent}")).json()["dispositions"] is None


# Trying them


class Recorded:
    """Notes what is asked of the language model."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[Disposition], str, int]] = []

    async def __call__(
        self, agent: Agent, dispositions: Sequence[Disposition], transcript: str, at_us: int
    ) -> Mapping[str, Any]:
        self.asked.append((agent.id, list(dispositions), transcript, at_us))
        return await found_nothing(agent, dispositions, transcript, at_us)


async def test_trying_them(api: Api) -> None:
    agent = await api.agent()
    disposition_id = await created(api, agent_id=agent, category="Lead", is_subjective=True)
    await created(api)
    recorded = Recorded()
    client = api.with_services(try_dispositions=recorded)
    path = f"/v2/agent/{agent}/dispositions/test"
    answer = await client.post(
        path, json={"transcript": "user: yes", "call_date": "2026-04-01T10:00:00+05:30"}
    )
    assert answer.status_code == 200
    described_as("DispositionTestResult", answer.json())
    assert answer.json()["extracted_data"]["Lead"]["Call Outcome"]["subjective"] == ""
    assert (await client.post(path, json={"transcript": "x" * 50_000, "call_date": None})).status_code == 200
    asked = Disposition(
        id=disposition_id,
        name="Call Outcome",
        question="How did it end?",
        category="Lead",
        is_subjective=True,
        is_objective=True,
        subjective_type="text",
        objective_options=(Option("interested", "They agreed", (Option("visit", "Somebody comes by"),)),),
    )
    assert recorded.asked == [
        (agent, [asked], "user: yes", 1_775_017_800_000_000),
        (agent, [asked], "x" * 50_000, api.clock.us),
    ]


async def test_an_agent_without_any_finds_nothing(api: Api) -> None:
    answer = await api.client.post(
        f"/v2/agent/{await api.agent()}/dispositions/test", json={"transcript": "x"}
    )
    assert (answer.status_code, answer.json()) == (200, {"extracted_data": {}})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "transcript is required"),
        ({"transcript": ""}, "transcript must not be empty"),
        ({"transcript": "x" * 50_001}, "transcript must be at most 50000 characters"),
        ({"transcript": ["x"]}, "transcript must be a string"),
        (
            {"transcript": "x", "call_date": "yesterday"},
            "call_date must be an ISO 8601 time, such as 2026-06-05T16:35:00+05:30",
        ),
    ],
)
async def test_what_cannot_be_tried(api: Api, body: dict[str, Any], message: str) -> None:
    agent = await api.agent()
    assert_refused(await api.client.post(f"/v2/agent/{agent}/dispositions/test", json=body), 422, message)


async def test_the_examples_work(api: Api) -> None:
    agent = {"agent_id": await api.agent()}
    answer = await api.client.post("/dispositions/", json=EXAMPLES["DispositionCreate"] | agent)
    assert answer.status_code == 201
    path = f"/dispositions/{answer.json()['id']}"
    assert (await api.client.put(path, json=EXAMPLES["DispositionUpdate"] | agent)).status_code == 200
    bulk = EXAMPLES["DispositionBulkCreate"] | agent
    assert (await api.client.post("/dispositions/bulk", json=bulk)).status_code == 201
    test = f"/v2/agent/{agent['agent_id']}/dispositions/test"
    assert (await api.client.post(test, json=EXAMPLES["DispositionTestRequest"])).status_code == 200
