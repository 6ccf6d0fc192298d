"""An account never sees or changes what is another's: tried for every route of the application, on both databases."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute

from ringback.store.schema import metadata
from tests.support import agent_definitions
from tests.support.api import FROM, POOL, Api
from tests.support.belongings import Belongings, furnish
from tests.support.description import application

Route = tuple[str, str]
"""Method and path."""


@dataclass(frozen=True)
class Case:
    """How a route is asked. Ids in its path are filled in with one's own and the other's, in every combination."""

    body: Callable[[Belongings], Any] | None = None
    """Given whose ids it is to hold."""
    file: bytes | None = None
    """Comes with the body, which is a form then."""
    queries: Callable[[Belongings], Iterable[dict[str, str]]] = lambda of: ({},)
    """Given whose ids they are to hold; each is tried."""
    refused: tuple[int, ...] = (404,)
    """What an id of another's is answered with."""
    looked_up: bool = False
    """An id in its query is refused as well; elsewhere nothing is found with it."""
    anybodys: bool = False
    """Its ids are no account's own: what one does with them is done for oneself."""


def _definition(_: Belongings) -> Any:
    return agent_definitions.scripted()


def _patch(_: Belongings) -> Any:
    return {"agent_config": {"agent_name": "taken over"}}


def _call(of: Belongings) -> Any:
    return {"agent_id": of.agent_id, "recipient_phone_number": "+14155550123", "from_phone_number": FROM}


def _batch(of: Belongings) -> Any:
    return {
        "agent_id": of.agent_id,
        "from_phone_numbers": [FROM],
        "webhook_url": f"https://crm.example/{of.mark}",
    }


def _schedule(_: Belongings) -> Any:
    return {"scheduled_at": "2026-11-25T09:00:00Z"}


def _event(of: Belongings) -> Any:
    return {"event": "payment_received", "properties": {"name": of.mark}}


def _reason(of: Belongings) -> Any:
    return {"reason": of.mark}


def _filters(of: Belongings) -> Iterable[dict[str, str]]:
    yield {}
    yield {"batch_id": of.batch_id}
    yield {"recipient_data[name]": of.mark}
    yield {"page_size": "1", "status": "completed,queued"}


def _deliveries(of: Belongings) -> Iterable[dict[str, str]]:
    yield {}
    yield {"execution_id": of.execution_id}
    yield {"batch_id": of.batch_id}
    yield {"endpoint_id": of.endpoint_id}
    yield {"state": "waiting", "page_size": "1"}


def _question(of: Belongings) -> Any:
    return {"name": of.mark, "question": of.mark, "is_subjective": True, "agent_id": of.agent_id}


def _questions(of: Belongings) -> Any:
    return {"agent_ids": [of.agent_id], "dispositions": [_question(of)]}


def _other_question(of: Belongings) -> Any:
    return {"question": of.mark, "agent_id": of.agent_id}


def _of_agent(of: Belongings) -> Iterable[dict[str, str]]:
    yield {}
    yield {"agent_id": of.agent_id}


def _exports(of: Belongings) -> Iterable[dict[str, str]]:
    for kind in ("csv", "ndjson"):
        for filters in list(_filters(of))[:3]:
            yield {**filters, "format": kind}


def _trunk(of: Belongings) -> Any:
    return {
        "name": f"{of.mark}, another",
        "provider": "plivo",
        "auth_type": "ip-based",
        "gateways": [{"gateway_address": "sip.example.com"}],
        "ip_identifiers": [{"ip_address": "203.0.113.7"}],
    }


def _linked(of: Belongings) -> Any:
    return {"agent_id": of.agent_id, "phone_number_id": of.phone_number_id}


_CALLERS = "contact_number,name\n+14155550123,Ann\n"

PUBLIC = {("GET", "/health"), ("GET", "/metrics"), ("GET", "/docs"), ("GET", "/openapi.json")}
CASES: dict[Route, Case] = {
    ("GET", "/agent/{agent_id}/executions"): Case(queries=_filters),
    ("GET", "/v2/agent/{agent_id}/executions"): Case(queries=_filters),
    ("GET", "/v2/agent/{agent_id}/executions/export"): Case(queries=_exports),
    ("GET", "/batches/{batch_id}/executions"): Case(queries=_filters),
    ("GET", "/batch/{batch_id}/executions"): Case(queries=_filters),
    ("GET", "/agent/{agent_id}/execution/{execution_id}"): Case(),
    ("GET", "/executions/{execution_id}"): Case(),
    ("GET", "/executions/{execution_id}/log"): Case(),
    ("GET", "/recordings/call/{execution_id}"): Case(),
    ("HEAD", "/recordings/call/{execution_id}"): Case(),
    ("GET", "/recordings/transfer/{execution_id}"): Case(),
    ("HEAD", "/recordings/transfer/{execution_id}"): Case(),
    ("POST", "/batches"): Case(body=_batch, file=b"contact_number,name\n+14155550123,Ann\n"),
    ("POST", "/batches/{batch_id}/schedule"): Case(body=_schedule),
    ("POST", "/batches/{batch_id}/stop"): Case(),
    ("GET", "/batches/{batch_id}"): Case(),
    ("DELETE", "/batches/{batch_id}"): Case(),
    ("GET", "/batches/{batch_id}/bad-lines"): Case(),
    ("GET", "/batches/{agent_id}/all"): Case(),
    **{("POST", path): Case(body=_definition) for path in ("/agent", "/v2/agent")},
    **{("GET", path): Case() for path in ("/agent/all", "/v2/agent/all")},
    **{
        (method, f"{version}/agent/{{agent_id}}"): Case(body=body)
        for version in ("", "/v2")
        for method, body in (("GET", None), ("PUT", _definition), ("PATCH", _patch), ("DELETE", None))
    },
    ("POST", "/v2/agent/{agent_id}/stop"): Case(),
    ("POST", "/call"): Case(body=_call),
    ("POST", "/call/{execution_id}/stop"): Case(),
    ("POST", "/v1/call/{run_id}/events"): Case(body=_event),
    ("GET", "/webhooks/endpoints"): Case(),
    ("GET", "/webhooks/endpoints/{endpoint_id}"): Case(),
    ("PATCH", "/webhooks/endpoints/{endpoint_id}"): Case(body=lambda _: {"state": "disabled"}),
    **{(method, "/webhooks/endpoints/{endpoint_id}/secret"): Case() for method in ("GET", "POST")},
    ("GET", "/webhooks/deliveries"): Case(queries=_deliveries),
    ("POST", "/webhooks/deliveries/{delivery_id}/replay"): Case(),
    **{
        (method, path): Case(body=body, queries=queries, refused=(403,), looked_up=True)
        for path in ("/dispositions/", "/dispositions")
        for method, body, queries in (("GET", None, _of_agent), ("POST", _question, lambda _: ({},)))
    },
    ("POST", "/dispositions/bulk"): Case(body=_questions, refused=(403,)),
    ("GET", "/dispositions/{disposition_id}"): Case(queries=_of_agent, refused=(403, 404), looked_up=True),
    ("PUT", "/dispositions/{disposition_id}"): Case(body=_other_question, refused=(403, 404)),
    ("DELETE", "/dispositions/{disposition_id}"): Case(),
    ("POST", "/v2/agent/{agent_id}/dispositions/test"): Case(body=lambda _: {"transcript": "user: yes"}),
    ("GET", "/extractions"): Case(),
    ("POST", "/extractions"): Case(body=lambda _: {"name": "Leads", "json_schema": {}}),
    ("GET", "/extractions/{template_id}"): Case(),
    ("PUT", "/extractions/{template_id}"): Case(body=lambda _: {"name": "taken over"}),
    ("DELETE", "/extractions/{template_id}"): Case(),
    ("GET", "/sip-trunks/trunks"): Case(queries=lambda _: ({}, {"is_active": "true"})),
    ("POST", "/sip-trunks/trunks"): Case(body=_trunk),
    ("GET", "/sip-trunks/trunks/{trunk_id}"): Case(),
    ("PATCH", "/sip-trunks/trunks/{trunk_id}"): Case(body=lambda _: {"name": "taken over"}),
    ("DELETE", "/sip-trunks/trunks/{trunk_id}"): Case(),
    ("GET", "/sip-trunks/trunks/{trunk_id}/numbers"): Case(),
    ("POST", "/sip-trunks/trunks/{trunk_id}/numbers"): Case(body=lambda _: {"phone_number": "4930123"}),
    ("DELETE", "/sip-trunks/trunks/{trunk_id}/numbers/{phone_number_id}"): Case(),
    ("GET", "/phone-numbers/all"): Case(),
    ("GET", "/phone-numbers/search"): Case(queries=lambda _: ({"country": "US"},)),
    ("POST", "/phone-numbers/buy"): Case(body=lambda _: {"country": "US", "phone_number": POOL[0]}),
    ("DELETE", "/phone-numbers/{phone_number_id}"): Case(),
    ("POST", "/inbound/setup"): Case(body=_linked),
    ("POST", "/inbound/unlink"): Case(body=lambda of: {"phone_number_id": of.phone_number_id}),
    ("GET", "/inbound/callers"): Case(),
    ("PUT", "/inbound/callers/{source_name}"): Case(body=lambda of: {"csv": _CALLERS}, anybodys=True),
    ("DELETE", "/inbound/callers/{source_name}"): Case(),
    ("GET", "/user/me"): Case(),
    ("POST", "/sub-accounts/create"): Case(body=lambda _: {"name": "Gotham branch"}),
    ("GET", "/sub-accounts/all"): Case(),
    ("GET", "/sub-accounts/all/usage"): Case(),
    ("GET", "/sub-accounts/{sub_account_id}/usage"): Case(),
    ("PATCH", "/sub-accounts/{sub_account_id}"): Case(body=lambda _: {"name": "taken over"}),
    ("DELETE", "/sub-accounts/{sub_account_id}"): Case(),
    ("GET", "/do-not-call"): Case(),
    ("PUT", "/do-not-call/{number}"): Case(body=_reason, anybodys=True),
    ("GET", "/do-not-call/{number}"): Case(),
    ("DELETE", "/do-not-call/{number}"): Case(),
}


def routes(found: Iterable[BaseRoute]) -> Iterator[Route]:
    for route in found:
        inner = getattr(route, "original_router", None)  # FastAPI's, where a router was included
        if inner is not None:
            yield from routes(inner.routes)
        else:
            yield from ((method, route.path) for method in route.methods)  # type: ignore[attr-defined]


def test_every_route_has_its_case() -> None:
    assert set(routes(application().routes)) == {*CASES, *PUBLIC}


@dataclass(frozen=True)
class Neighbours:
    api: Api
    mine: Belongings
    theirs: Belongings
    """Of `api.stranger`."""

    async def of_mine(self) -> dict[str, Any]:
        """All that is kept of my account."""
        held: dict[str, Any] = {"recording": (self.api.recordings / f"{self.mine.mark}.wav").read_bytes()}
        for table in metadata.tables:
            found = await self.api.db.fetch_all(f"SELECT * FROM {table}")
            held[table] = sorted(repr(dict(row)) for row in found if row["account_id"] == self.mine.account)
        return held


@pytest.fixture
async def neighbours(api: Api) -> Neighbours:
    stranger = await api.services.keys.account_of(api.stranger.headers["authorization"].split()[1])
    assert stranger is not None
    return Neighbours(api, await furnish(api, api.account), await furnish(api, stranger))


@dataclass(frozen=True)
class Attempt:
    ids: dict[str, str]
    """In the path."""
    query: dict[str, str]
    body: Any

    def names(self, whose: Belongings, *, looked_up: bool) -> bool:
        """By an id in the path or the body, or in the query, where that is looked up."""
        asked = json.dumps([self.ids, self.body, self.query if looked_up else None])
        return any(id_ in asked for id_ in (*whose.ids.values(), whose.queued))

    async def send(self, client: httpx.AsyncClient, route: Route) -> httpx.Response:
        method, path = route
        file = CASES[route].file
        sent = {"data": self.body, "files": {"file": ("people.csv", file)}} if file else {"json": self.body}
        return await client.request(method, path.format(**self.ids), params=self.query, **sent)


def attempts(route: Route, *owners: Belongings) -> list[Attempt]:
    """Each id of the path, the query and the body is that of one of the owners, in every combination."""
    case, names = CASES[route], [name for name in owners[0].ids if f"{{{name}}}" in route[1]]
    found = []
    for *of_ids, of_query, of_body in product(owners, repeat=len(names) + 2):
        ids = {name: id_for(route, name, owner) for name, owner in zip(names, of_ids, strict=True)}
        for query in case.queries(of_query):
            attempt = Attempt(ids, query, case.body(of_body) if case.body else None)
            if attempt not in found:
                found.append(attempt)
    return found


def id_for(route: Route, name: str, owner: Belongings) -> str:
    return owner.queued if name == "execution_id" and route[1].endswith("/stop") else owner.ids[name]


by_name = pytest.mark.parametrize("route", CASES, ids=" ".join)


@by_name
async def test_a_stranger_neither_sees_nor_changes_it(neighbours: Neighbours, route: Route) -> None:
    mine, theirs, stranger = neighbours.mine, neighbours.theirs, neighbours.api.stranger
    before = await neighbours.of_mine()
    own = attempts(route, theirs)
    asked = [attempt for attempt in attempts(route, theirs, mine) if attempt not in own]
    for attempt in asked or own:
        answer = await attempt.send(stranger, route)
        case = CASES[route]
        if attempt.names(mine, looked_up=case.looked_up) and not case.anybodys:
            assert answer.status_code in case.refused, attempt
        else:
            assert answer.is_success, (attempt, answer.content)
        told = answer.content.decode("latin-1")
        assert not [trace for trace in mine.traces if trace in told and trace not in repr(attempt)], attempt
        assert await neighbours.of_mine() == before, attempt


@by_name
async def test_its_owner_does(neighbours: Neighbours, route: Route) -> None:
    """The same requests with the right key: what the stranger met was not a bad request."""
    for attempt in attempts(route, neighbours.mine):
        answer = await attempt.send(neighbours.api.client, route)
        assert answer.is_success, (attempt, answer.content)


async def test_the_token_of_another_recording_opens_nothing(neighbours: Neighbours) -> None:
    link = f"/recordings/call/{neighbours.mine.execution_id}"
    for client in (neighbours.api.stranger, neighbours.api.nobody):
        answer = await client.get(link, params={"token": neighbours.theirs.token})
        assert answer.status_code == 404
