"""Extraction templates over the API, on both databases."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from ringback.agents.extraction_template import TemplateFields
from ringback.api.schemas.examples import EXAMPLES
from tests.support.api import Api, assert_refused
from tests.support.description import described_as

SENT: dict[str, Any] = EXAMPLES["ExtractionTemplateCreate"]


async def created(api: Api, **fields: Any) -> dict[str, Any]:
    answer = await api.client.post("/extractions", json=SENT | fields)
    assert answer.status_code == 201, answer.text
    described_as("ExtractionTemplateData", answer.json())
    template: dict[str, Any] = answer.json()["data"]
    return template


async def listed(api: Api) -> list[dict[str, Any]]:
    answer = await api.client.get("/extractions")
    assert (answer.status_code, list(answer.json())) == (200, ["data"])
    described_as("ExtractionTemplateList", answer.json())
    templates: list[dict[str, Any]] = answer.json()["data"]
    return templates


async def test_create_and_get(api: Api) -> None:
    template = await created(api, unknown="dropped", inputs={"é": [None, 1.5]})
    at = "2026-11-24T04:04:05Z"
    assert template == SENT | {
        "id": template["id"],
        "inputs": {"é": [None, 1.5]},
        "created_at": at,
        "updated_at": at,
    }
    for spelling in (template["id"], template["id"].replace("-", "").upper()):
        answer = await api.client.get(f"/extractions/{spelling}")
        assert (answer.status_code, answer.json()) == (200, {"data": template})
    assert await listed(api) == [template]


async def test_put_changes_what_is_named(api: Api) -> None:
    template = await created(api)
    api.clock.us += 60_000_000
    path = f"/extractions/{template['id']}"
    answer = await api.client.put(path, json={"instructions": None, "display": False})
    changed = template | {
        "instructions": None,
        "display": False,
        "updated_at": "2026-11-24T04:05:05Z",
    }
    assert (answer.status_code, answer.json()) == (200, {"data": changed})
    api.clock.us += 60_000_000
    assert (await api.client.put(path, json=changed)).json() == {"data": changed}, (
        "what GET gave changes nothing"
    )
    assert await listed(api) == [changed]


async def test_refused_changes_change_nothing(api: Api) -> None:
    template = await created(api)
    path = f"/extractions/{template['id']}"
    for body, message in (
        ({}, "No valid fields provided to update"),
        ({"id": template["id"], "colour": "red"}, "No valid fields provided to update"),
        ({"name": ""}, "name must not be empty"),
        ({"name": None}, "name is required"),
        ({"display": 1}, "display must be true or false"),
        ({"json_schema": {"type": "array"}}, "json_schema cannot be asked for: must describe an object"),
    ):
        assert_refused(await api.client.put(path, json=body), 400, message)
    assert await listed(api) == [template]


async def test_delete(api: Api) -> None:
    template, kept = await created(api), await created(api)
    path = f"/extractions/{template['id']}"
    answer = await api.client.delete(path)
    assert (answer.status_code, answer.json()) == (200, {"message": "Template deleted successfully"})
    for method, body in (("GET", None), ("PUT", {"name": "x"}), ("DELETE", None)):
        gone = await api.client.request(method, path, json=body)
        assert_refused(gone, 404, f"There is no extraction template {template['id']}")
    assert await listed(api) == [kept]


async def test_a_long_list_in_the_order_of_creation(api: Api) -> None:
    made = []
    for number in range(123):  # more than the store reads at a time
        made.append((await created(api, name=f"template {number}"))["id"])
        api.clock.us += 1_000_000
    assert [template["id"] for template in await listed(api)] == made


async def test_many_of_one_moment_are_all_listed(api: Api) -> None:
    fields = TemplateFields.model_validate(SENT)
    made = [await api.services.extraction_templates.create(api.account, fields) for _ in range(65)]
    assert [template["id"] for template in await listed(api)] == sorted(template.id for template in made)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_ids_that_lead_nowhere(api: Api, method: str) -> None:
    body = {"name": "x"} if method == "PUT" else None
    unknown = str(uuid4())
    answer = await api.client.request(method, f"/extractions/{unknown}", json=body)
    assert_refused(answer, 404, f"There is no extraction template {unknown}")
    assert_refused(
        await api.client.request(method, "/extractions/42", json=body), 400, "template_id must be a UUID"
    )


async def test_bad_bodies_write_nothing(api: Api) -> None:
    before = await api.rows()
    for body, message in (
        ({}, "name is required"),
        (SENT | {"json_schema": "{}"}, "json_schema must be an object"),
        ([], "The body must be a JSON object"),
    ):
        assert_refused(await api.client.post("/extractions", json=body), 400, message)
    assert await api.rows() == before
