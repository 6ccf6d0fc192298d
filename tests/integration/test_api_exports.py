"""Exports over HTTP, on both databases."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from ringback.executions import listing
from ringback.executions.export import parquet_file
from ringback.executions.lifecycle import Status
from tests.support.api import Api, assert_refused
from tests.support.exports import (
    BATCH,
    assert_csv_row,
    assert_parquet_row,
    hostile_history,
    read_csv,
    read_ndjson,
    read_parquet,
)

FORMATS = ["csv", "ndjson", "parquet"]
READERS: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
    "csv": read_csv,
    "ndjson": read_ndjson,
    "parquet": read_parquet,
}


async def exported(api: Api, agent_id: str, format_: str, **params: str) -> list[dict[str, Any]]:
    answer = await api.client.get(
        f"/v2/agent/{agent_id}/executions/export", params={"format": format_} | params
    )
    assert answer.status_code == 200, answer.text
    return READERS[format_](answer.content)


async def listed(api: Api, agent_id: str, **params: str) -> list[dict[str, Any]]:
    """All that the v2 list has."""
    records: list[dict[str, Any]] = []
    more: dict[str, str] = {}
    while True:
        page = (await api.client.get(f"/v2/agent/{agent_id}/executions", params=params | more)).json()
        records += page["data"]
        if not page["has_more"]:
            return records
        more = {"cursor": page["next_cursor"]}


async def test_every_format_holds_what_the_v2_list_shows(api: Api) -> None:
    agent_id = await api.agent()
    await hostile_history(api.ledger, api.account, agent_id)
    await api.executions(agent_id, 6)
    await api.executions(await api.agent(), 1)
    records = await listed(api, agent_id)
    assert len(records) == 26  # more than the first batch of the stream
    assert await exported(api, agent_id, "ndjson") == records
    for row, record in zip(await exported(api, agent_id, "csv"), records, strict=True):
        assert_csv_row(row, record)
    for row, record in zip(await exported(api, agent_id, "parquet"), records, strict=True):
        assert_parquet_row(row, record)
    assert {record["status"] for record in records} >= {"stopped", "error", "scheduled"}  # not those of v1


async def test_filters_are_those_of_the_list(api: Api) -> None:
    agent_id = await api.agent()
    await hostile_history(api.ledger, api.account, agent_id)
    for filters, count in (
        ({"status": "completed,stopped"}, 17),
        ({"batch_id": BATCH}, 1),
        ({"min_duration": "43.5"}, 1),
        ({"answered_by_voice_mail": "true"}, 8),
        ({"hangup_reason": '=HYPERLINK("http://evil.example","click")'}, 1),
        ({"extracted_data[said]": "-2"}, 1),
        ({"provider": "carrier-pigeon"}, 0),
    ):
        ids = [record["id"] for record in await listed(api, agent_id, **filters)]
        assert len(ids) == count, filters
        for format_ in FORMATS:
            assert [row["id"] for row in await exported(api, agent_id, format_, **filters)] == ids


@pytest.mark.parametrize("format_", FORMATS)
async def test_an_agent_without_executions(api: Api, format_: str) -> None:
    assert await exported(api, await api.agent(), format_) == []


@pytest.mark.parametrize(
    ("format_", "media_type"),
    [
        ("csv", "text/csv; charset=utf-8"),
        ("ndjson", "application/x-ndjson"),
        ("parquet", "application/vnd.apache.parquet"),
    ],
)
async def test_headers(api: Api, format_: str, media_type: str) -> None:
    agent_id = await api.agent()
    await api.executions(agent_id, 3)
    url = f"/v2/agent/{agent_id}/executions/export?format={format_}"
    plain = await api.client.get(url, headers={"Accept-Encoding": "identity"})
    assert plain.headers["content-type"] == media_type
    assert plain.headers["content-disposition"] == (
        f'attachment; filename="executions-{agent_id}-20261124T040408Z.{format_}"'
    )
    assert "content-encoding" not in plain.headers
    assert "content-length" not in plain.headers
    squeezed = await api.client.get(url, headers={"Accept-Encoding": "gzip", "Origin": "https://a.example"})
    assert squeezed.headers.get("content-encoding") == (None if format_ == "parquet" else "gzip")
    assert "Content-Disposition" in squeezed.headers["access-control-expose-headers"]
    assert squeezed.content == plain.content


async def test_refusals(api: Api) -> None:
    agent_id, unknown = await api.agent(), uuid4()
    await api.executions(agent_id, 1)

    async def get(agent: object = agent_id, client: Any = api.client, **params: str) -> Any:
        return await client.get(f"/v2/agent/{agent}/executions/export", params={"format": "csv"} | params)

    assert_refused(await get(client=api.stranger), 404, f"There is no agent {agent_id}")
    assert_refused(await get(unknown), 404, f"There is no agent {unknown}")
    assert_refused(await get("42"), 400, "agent_id must be a UUID")
    assert_refused(await get(format="xlsx"), 400, "format must be one of 'csv', 'ndjson' or 'parquet'")
    assert_refused(await api.client.get(f"/v2/agent/{agent_id}/executions/export"), 400, "format is required")
    for name in ("page_number", "page_size", "cursor"):
        assert_refused(await get(**{name: "1"}), 400, f"an export has no pages: leave {name} out")
    assert_refused(await get(status="nope"), 400)
    assert_refused(await get(to="2026-01-01", **{"from": "2026-01-02"}), 400, "to must not be before from")
    assert_refused(
        await get(client=api.with_services(strict_date_window=True)), 400, "from and to are required"
    )


async def test_parquet_without_pyarrow(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    agent_id = await api.agent()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, parquet_file.__name__)
    answer = await api.client.get(f"/v2/agent/{agent_id}/executions/export?format=parquet")
    assert_refused(answer, 400, "the format parquet needs pyarrow: pip install 'ringback[parquet]'")
    assert await exported(api, agent_id, "csv") == []


@pytest.mark.parametrize("format_", FORMATS)
async def test_a_client_that_goes_away_ends_the_export(
    api: Api, format_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent_id = await api.agent()
    [one] = await api.executions(agent_id, 1)
    text = "".join(uuid4().hex for _ in range(10_000))  # which no format makes small
    await api.ledger.transition(api.account, one, Status.STOPPED, changes={"summary": text})
    stored = await api.services.listing.by_id(api.account, one)
    closed, given = asyncio.Event(), 0

    async def endless(*_: Any, **__: Any) -> Any:
        nonlocal given
        try:
            while True:
                given += 1
                yield [stored] * 10
        finally:
            closed.set()

    monkeypatch.setattr(listing.Listing, "batches", endless)
    monkeypatch.setattr(parquet_file, "_GROUP_BYTES", 1)
    async with api.server() as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        path = f"/v2/agent/{agent_id}/executions/export?format={format_}"
        key = api.client.headers["authorization"]
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n".encode())
        await reader.readexactly(10_000)
        writer.transport.abort()
        async with asyncio.timeout(10):
            await closed.wait()
    assert given > 0
