"""What every request meets: keys, the error envelope, CORS, failures of ours."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from ringback.agents.registry import Agents
from ringback.store.database import open_database
from tests.support import agent_definitions as bodies
from tests.support.api import Api, assert_refused

ROUTES = [
    ("GET", "/agent/{id}/executions"),
    ("GET", "/v2/agent/{id}/executions"),
    ("GET", "/v2/agent/{id}/executions/export"),
    ("GET", "/agent/{id}/execution/{id}"),
    ("GET", "/executions/{id}"),
    ("GET", "/executions/{id}/log"),
    ("GET", "/batches/{id}/executions"),
    ("POST", "/batches"),
    ("GET", "/batches/{id}/all"),
    ("GET", "/batches/{id}"),
    ("DELETE", "/batches/{id}"),
    ("POST", "/batches/{id}/schedule"),
    ("POST", "/batches/{id}/stop"),
    ("GET", "/batches/{id}/bad-lines"),
    ("GET", "/recordings/call/{id}"),
    ("GET", "/recordings/transfer/{id}"),
    ("POST", "/call"),
    ("POST", "/call/{id}/stop"),
    ("POST", "/v1/call/{id}/events"),
    ("POST", "/v2/agent/{id}/stop"),
    ("GET", "/webhooks/endpoints"),
    *[(m, "/webhooks/endpoints/{id}") for m in ("GET", "PATCH")],
    *[(m, "/webhooks/endpoints/{id}/secret") for m in ("GET", "POST")],
    ("GET", "/webhooks/deliveries"),
    ("POST", "/webhooks/deliveries/{id}/replay"),
    *[(m, "/dispositions/") for m in ("GET", "POST")],
    ("POST", "/dispositions/bulk"),
    *[(m, "/dispositions/{id}") for m in ("GET", "PUT", "DELETE")],
    ("POST", "/v2/agent/{id}/dispositions/test"),
    *[(m, "/extractions") for m in ("GET", "POST")],
    *[(m, "/extractions/{id}") for m in ("GET", "PUT", "DELETE")],
    *[(m, "/sip-trunks/trunks") for m in ("GET", "POST")],
    *[(m, "/sip-trunks/trunks/{id}") for m in ("GET", "PATCH", "DELETE")],
    *[(m, "/sip-trunks/trunks/{id}/numbers") for m in ("GET", "POST")],
    ("DELETE", "/sip-trunks/trunks/{id}/numbers/{id}"),
    *[("GET", f"/phone-numbers/{path}") for path in ("all", "search")],
    ("POST", "/phone-numbers/buy"),
    ("DELETE", "/phone-numbers/{id}"),
    *[("POST", f"/inbound/{path}") for path in ("setup", "unlink")],
    ("GET", "/inbound/callers"),
    *[(m, "/inbound/callers/{id}") for m in ("PUT", "DELETE")],
    ("GET", "/user/me"),
    ("POST", "/sub-accounts/create"),
    *[("GET", f"/sub-accounts/{path}") for path in ("all", "all/usage", "{id}/usage")],
    *[(m, "/sub-accounts/{id}") for m in ("PATCH", "DELETE")],
    ("GET", "/do-not-call"),
    *[(m, "/do-not-call/{id}") for m in ("GET", "PUT", "DELETE")],
    *[("POST", base) for base in ("/agent", "/v2/agent")],
    *[("GET", f"{base}/all") for base in ("/agent", "/v2/agent")],
    *[(m, f"{base}/{{id}}") for base in ("/agent", "/v2/agent") for m in ("GET", "PUT", "PATCH", "DELETE")],
]


async def test_the_list_of_routes_is_complete(api: Api) -> None:
    described = (await api.nobody.get("/openapi.json")).json()["paths"]
    known = {
        (method.upper(), re.sub(r"\{\w+\}", "{id}", path))
        for path, operations in described.items()
        for method in operations
    }
    assert known == {*ROUTES, ("GET", "/health")}


NO_KEY: list[dict[str, Any]] = [
    {},
    {"Authorization": ""},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer "},
    {"Authorization": "Bearer bn-wrong"},
    {"Authorization": "Basic Ym4="},
    {"Authorization": "bn-naked"},
    {"Authorization": b"Bearer \xff\xfe"},
    {"X-API-Key": "bn-wrong"},
]


async def test_without_a_good_key_nothing_is_written_anywhere(api: Api) -> None:
    agent_id = await api.agent()
    before = await api.rows()
    for method, path in ROUTES:
        for headers in NO_KEY:
            json = bodies.simple() if method in ("POST", "PUT", "PATCH") else None
            answer = await api.nobody.request(method, path.format(id=agent_id), json=json, headers=headers)
            assert answer.status_code == 401, (method, path)
            assert answer.json() == {"error": 401, "message": "Access denied", "detail": "Access denied"}
            assert answer.headers["www-authenticate"] == "Bearer"
    assert await api.rows() == before


async def test_a_body_is_not_read_without_a_key(api: Api) -> None:
    for method, path in ROUTES:
        if method in ("POST", "PUT", "PATCH"):
            answer = await api.nobody.request(method, path.format(id="42"), content=b"{not json")
            assert_refused(answer, 401, "Access denied")


async def test_a_revoked_key(api: Api) -> None:
    assert (await api.client.get("/v2/agent/all")).status_code == 200
    await api.revoke(api.client)
    assert_refused(await api.client.get("/v2/agent/all"), 401, "Access denied")
    assert (await api.stranger.get("/v2/agent/all")).status_code == 200


async def test_the_scheme_is_not_case_sensitive(api: Api) -> None:
    key = api.client.headers["authorization"].split()[1]
    answer = await api.nobody.get("/v2/agent/all", headers={"Authorization": f"bearer {key}"})
    assert answer.status_code == 200


async def test_health_needs_no_key(api: Api) -> None:
    answer = await api.nobody.get("/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_paths_and_methods_that_are_not_there(api: Api) -> None:
    assert_refused(await api.client.get("/nowhere"), 404, "There is no /nowhere here")
    answer = await api.client.get("/call")
    assert_refused(answer, 405, "/call does not take GET")
    assert answer.headers["allow"] == "POST"
    answer = await api.client.post("/v2/agent/42")
    assert_refused(answer, 405, "/v2/agent/42 does not take POST")
    assert answer.headers["allow"] == "GET, PUT, PATCH, DELETE"


async def test_cors(api: Api) -> None:
    origin = {"Origin": "https://dashboard.example"}
    preflight = await api.nobody.options(
        "/call",
        headers=origin
        | {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "content-type" in allowed
    denied = await api.nobody.get("/v2/agent/all", headers=origin)
    assert denied.status_code == 401
    assert denied.headers["access-control-allow-origin"] == "*"
    assert "Retry-After" in denied.headers["access-control-expose-headers"]


async def test_a_failure_of_ours_shows_no_trace(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    broken = api.with_services(agents=cast(Agents, None))
    with caplog.at_level(logging.INFO, "ringback"):
        answer = await broken.get("/v2/agent/all", headers={"Origin": "https://dashboard.example"})
    assert_refused(answer, 500, "Something went wrong on our side; the server's log says what")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "GET /v2/agent/all: AttributeError" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_database_that_refuses(api: Api, tmp_path: Path) -> None:
    without_tables = await open_database(f"sqlite:///{tmp_path}/without-tables.db")
    client = api.with_services(agents=Agents(without_tables, api.clock))
    answer = await client.post("/v2/agent", json=bodies.simple())
    await without_tables.close()
    assert_refused(answer, 503, "The database is not available; try again in a moment")
    assert answer.headers["retry-after"] == "5"


async def test_the_description_is_sound(api: Api) -> None:
    described = (await api.nobody.get("/openapi.json")).json()
    schemas = described["components"]["schemas"]
    missing = {ref for ref in _refs(described) if ref.removeprefix("#/components/schemas/") not in schemas}
    assert not missing
    for path, operations in described["paths"].items():
        for operation in operations.values():
            assert operation["description"]
            assert operation["tags"]
            assert ("422" in operation["responses"]) == bool(re.search("/dispositions|/sip-trunks", path))
    assert "HTTPValidationError" not in schemas
    assert described["paths"]["/call"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    retry = schemas["RetryConfig"]["properties"]["max_retries"]
    assert (retry["minimum"], retry["maximum"]) == (1, 3)


def _refs(value: Any) -> set[str]:
    if isinstance(value, list):
        return {ref for item in value for ref in _refs(item)}
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own | {ref for item in value.values() for ref in _refs(item)}
    return set()


async def test_large_requests_through_a_real_socket(api: Api) -> None:
    """A client that writes all of its 10 MB before it reads still gets the answer."""
    headers = {"Authorization": api.client.headers["authorization"]}
    async with api.server() as url, httpx.AsyncClient(base_url=url, headers=headers, timeout=10) as client:
        for content in (b" " * 10_000_000, _chunks()):
            answer = await client.post("/call", content=content)
            assert_refused(answer, 413, "The body is too large: send at most 1048576 bytes")
        assert (await client.get("/health")).status_code == 200


async def _chunks() -> Any:
    for _ in range(160):
        yield b" " * 65_536
