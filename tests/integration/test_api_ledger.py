"""The lists over HTTP: cursors, totals, filters, encodings, ETags, batches, and clients that go away."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import httpx
import pytest
import zstandard

from ringback.app.upkeep import LedgerUpkeep
from ringback.dialing.batches import NewBatch
from ringback.executions import listing, segments
from ringback.executions.lifecycle import Status
from ringback.executions.record import NewExecution
from tests.support.api import FROM, Api, assert_refused

BATCH = "baab7cdc833145bf8dd260ff1f0a3f21"


async def _create(api: Api, agent_id: str, **changes: Any) -> str:
    values: dict[str, Any] = {
        "account_id": api.account,
        "agent_id": agent_id,
        "to_number": "+14155550123",
        "from_number": FROM,
        "provider": "sip-trunk",
    }
    api.clock.us += 1_000_000
    return (await api.ledger.create(NewExecution(**(values | changes)))).id


async def _page(api: Api, agent_id: str, **params: Any) -> dict[str, Any]:
    answer = await api.client.get(f"/v2/agent/{agent_id}/executions", params=params)
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


async def test_a_walk_by_cursors(api: Api) -> None:
    agent_id = await api.agent()
    ids = await api.executions(agent_id, 7)
    first = await _page(api, agent_id, page_size=3)
    assert (first["total"], first["total_exact"], first["page_number"]) == (7, True, 1)
    seen, page = [], first
    while True:
        seen += [item["id"] for item in page["data"]]
        if not page["has_more"]:
            break
        page = await _page(api, agent_id, page_size=3, cursor=page["next_cursor"], include_total="false")
        assert (page["total"], page["total_exact"], page["page_number"], page["page"]) == (None,) * 4
    assert seen == ids[::-1]
    assert page["next_cursor"] is None


async def test_bad_cursors_and_ranges(api: Api) -> None:
    agent_id = await api.agent()
    for params, message in {
        ("cursor=abc",): "cursor must be the next_cursor of a page",
        ("cursor=AQAAAAAAAAAB&page_number=2",): "give either cursor or page_number",
        ("min_duration=5&max_duration=4",): "max_duration must not be less than min_duration",
        ("min_cost=5&max_cost=4",): "max_cost must not be less than min_cost",
        (
            "&".join(f"recipient_data[k{n}]=1" for n in range(9)),
        ): "recipient_data may be filtered by at most 8 keys",
    }.items():
        assert_refused(await api.client.get(f"/v2/agent/{agent_id}/executions?{params[0]}"), 400, message)
    for params in ("min_cost=x", "min_duration=-1", "max_cost=inf", "min_cost=nan", "include_total=perhaps"):
        assert_refused(await api.client.get(f"/v2/agent/{agent_id}/executions?{params}"), 400)


async def test_more_filters(api: Api) -> None:
    agent_id = await api.agent()
    pune = await _create(api, agent_id, to_number="+14155550001", recipient_data={"city": "Pune", "n": 1})
    oslo = await _create(api, agent_id, to_number="+14155550002", recipient_data={"city": "Oslo", "n": 2})
    await api.ledger.transition(api.account, oslo, Status.STOPPED)

    async def found(query: str) -> tuple[list[str], dict[str, str]]:
        page = (await api.client.get(f"/v2/agent/{agent_id}/executions?{query}")).json()
        array = (await api.client.get(f"/agent/{agent_id}/executions?{query}")).json()
        ids = [item["id"] for item in page["data"]]
        assert [item["id"] for item in array] == ids
        assert (page["total"], page["total_exact"]) == (len(ids), True)
        return ids[::-1], page["filters"]

    assert await found("recipient_data[city]=Pune") == ([pune], {"recipient_data[city]": "Pune"})
    assert await found("recipient_data%5Bn%5D=2") == ([oslo], {"recipient_data[n]": "2"})
    assert await found("extracted_data[city]=Pune") == ([], {"extracted_data[city]": "Pune"})
    # A plus sign that was not encoded is a space.
    assert (await found("to_number=+14155550001"))[0] == [pune]
    assert (await found("to_number=%2B14155550001"))[0] == [pune]
    assert (await found("status=queued,stopped&from_number=%2B14155550100"))[0] == [pune, oslo]
    assert (await found("status=stopped,busy&max_duration=0&max_cost=0.5"))[0] == [oslo]
    assert (await found("min_duration=0.1"))[0] == []
    assert (await found("hangup_reason=Normal%20Hangup"))[0] == []


async def test_encodings_of_lists(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "ROWS", 5)
    agent_id = await api.agent()
    ids = await api.executions(agent_id, 12)
    for execution_id in ids:
        await api.ledger.transition(api.account, execution_id, Status.STOPPED)
    await LedgerUpkeep(api.db)()
    urls = (
        f"/agent/{agent_id}/executions",
        f"/v2/agent/{agent_id}/executions",
        f"/agent/{agent_id}/executions?page_size=9",
    )
    for url in urls:
        plain = await _raw(api, url, "identity")
        assert "content-encoding" not in plain.headers
        assert plain.headers["vary"].startswith("Accept-Encoding")
        whole = await _bytes(plain)
        gzipped, framed = await _raw(api, url, "gzip"), await _raw(api, url, "gzip, zstd")
        assert (gzipped.headers["content-encoding"], framed.headers["content-encoding"]) == ("gzip", "zstd")
        assert gzip.decompress(await _bytes(gzipped)) == whole
        assert zstandard.ZstdDecompressor().decompressobj().decompress(await _bytes(framed)) == whole
    array = json.loads(await _bytes(await _raw(api, urls[0], "identity")))
    assert [item["id"] for item in array] == ids[::-1]


@pytest.mark.parametrize("accepted", ["zstd", "gzip", "identity"])
async def test_clients_over_a_socket_unpack_what_they_ask_for(
    api: Api, monkeypatch: pytest.MonkeyPatch, accepted: str
) -> None:
    monkeypatch.setattr(segments, "ROWS", 5)
    agent_id = await api.agent()
    ids = await api.executions(agent_id, 12)
    for execution_id in ids:
        await api.ledger.transition(api.account, execution_id, Status.STOPPED)
    await LedgerUpkeep(api.db)()
    headers = {"Authorization": api.client.headers["authorization"], "Accept-Encoding": accepted}
    async with api.server() as url, httpx.AsyncClient(headers=headers) as client:
        answer = await client.get(f"{url}/agent/{agent_id}/executions")
    assert answer.headers.get("content-encoding", "identity") == accepted
    assert [item["id"] for item in answer.json()] == ids[::-1]


async def _raw(api: Api, url: str, accepted: str) -> httpx.Response:
    request = api.client.build_request("GET", url, headers={"Accept-Encoding": accepted})
    return await api.client.send(request, stream=True)


async def _bytes(answer: httpx.Response) -> bytes:
    return b"".join([part async for part in answer.aiter_raw()])


async def test_etags(api: Api) -> None:
    agent_id = await api.agent()
    [execution_id] = await api.executions(agent_id, 1)
    for url in (f"/executions/{execution_id}", f"/agent/{agent_id}/execution/{execution_id}"):
        tag = (await api.client.get(url)).headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = await api.client.get(url, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
        assert (await api.client.get(url, headers={"If-None-Match": '"other"'})).status_code == 200
        assert_refused(await api.stranger.get(url, headers={"If-None-Match": "*"}), 404)
    before = (await api.client.get(f"/executions/{execution_id}")).headers["etag"]
    await api.ledger.transition(api.account, execution_id, Status.STOPPED)
    answer = await api.client.get(f"/executions/{execution_id}", headers={"If-None-Match": before})
    assert (answer.status_code, answer.json()["status"]) == (200, "stopped")


@pytest.mark.parametrize("path", ["batches", "batch"])
async def test_batch_executions(api: Api, path: str) -> None:
    agent_id, other = await api.agent(), await api.agent()
    async with api.db.transaction() as tx:
        new = NewBatch(api.account, BATCH, agent_id, "people.csv", (), None, None)
        await api.services.batches.create(tx, new)
    ids = [await _create(api, agent_id, batch_id=BATCH) for _ in range(3)]
    await _create(api, agent_id)
    await _create(api, other)
    await api.ledger.transition(api.account, ids[0], Status.STOPPED)
    url = f"/{path}/{BATCH}/executions"
    array = (await api.client.get(url)).json()
    assert [(item["id"], item["status"]) for item in array] == list(
        zip(ids, ("stopped", "queued", "queued"), strict=True)
    )[::-1]
    dashed = "baab7cdc-8331-45bf-8dd2-60ff1f0a3f21"
    assert (await api.client.get(f"/{path}/{dashed}/executions")).json() == array
    assert [item["id"] for item in (await api.client.get(f"{url}?status=stopped")).json()] == [ids[0]]
    page = (await api.client.get(f"{url}?page_number=2&page_size=2")).json()
    assert [item["id"] for item in page["data"]] == [ids[0]]
    assert (page["total"], page["page_number"], page["has_more"]) == (3, 2, False)
    assert_refused(await api.client.get(f"/{path}/{'0' * 32}/executions"), 404)
    assert_refused(await api.stranger.get(url), 404)
    assert_refused(await api.client.get(f"/{path}/nonsense/executions"), 400)


async def test_a_client_that_goes_away_ends_the_stream(api: Api) -> None:
    """Nothing of the answer goes on when nobody reads it."""
    agent_id = await api.agent()
    for _ in range(60):
        await _create(api, agent_id, recipient_data={"long": "x" * 200_000})
    read = 0
    listing_batches = type(api.services.listing).batches

    async def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal read
        try:
            async for batch in listing_batches(self, *args, **kwargs):
                read += len(batch)
                yield batch
        finally:
            closed.set()

    closed = asyncio.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(api.services.listing), "batches", counted)
        patch.setattr(listing, "_FIRST_BATCH", 2)
        patch.setattr(listing, "_BATCH", 2)
        async with api.server() as url:
            host, port = url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            key = api.client.headers["authorization"]
            writer.write(
                f"GET /agent/{agent_id}/executions HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n".encode()
            )
            await reader.readexactly(1000)
            writer.transport.abort()
            async with asyncio.timeout(10):
                await closed.wait()
    assert read < 60
    assert len((await api.client.get(f"/agent/{agent_id}/executions")).json()) == 60
