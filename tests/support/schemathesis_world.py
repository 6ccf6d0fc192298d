"""Requests that schemathesis makes from a description, and an application with something in it that answers them.

A description does not know what is there. In the one that requests are made from, NAMES stand for ids; a request that
holds one is sent with an id that exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from pathlib import Path
from typing import Any, Final

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode, checks
from schemathesis.generation import overrides
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.schemas import APIOperation, BaseSchema

from ringback.store.database import Database, open_database
from tests.support.api import BASE_URL, FROM, POOL, Api, open_api
from tests.support.belongings import Belongings, furnish
from tests.support.description import Json

NAMES: Final = {
    "agent_id": "a0000000-0000-4000-8000-000000000001",
    "execution_id": "e0000000-0000-4000-8000-000000000001",
    "batch_id": "b0000000-0000-4000-8000-000000000001",
    "run_id": "f0000000-0000-4000-8000-000000000001",
    "number": "c0000000-0000-4000-8000-000000000001",
    "endpoint_id": "90000000-0000-4000-8000-000000000001",
    "delivery_id": "d0000000-0000-4000-8000-000000000001-1",
    "disposition_id": "60000000-0000-4000-8000-000000000001",
    "template_id": "50000000-0000-4000-8000-000000000001",
    "sub_account_id": "20000000-0000-4000-8000-000000000001",
    "trunk_id": "10000000-0000-4000-8000-000000000001",
    "phone_number_id": "30000000-0000-4000-8000-000000000001",
    "source_name": "40000000-0000-4000-8000-000000000001",
    "token": "70000000-0000-4000-8000-000000000001",
}
_NOWHERE: Final = "00000000-0000-4000-8000-000000000000"
_OFFERED: Final = {name: [there, _NOWHERE] for name, there in NAMES.items()} | {
    "recipient_phone_number": ["+14155550123"],
    "from_phone_number": [FROM, "+14155550199"],
    "agent_name": ["Alfred"],
    "agent_type": ["other"],
    "webhook_url": ["https://crm.example/calls"],
    "source_type": ["csv"],
    "sampling_rate": [16000],
    "task_type": ["extraction", "conversation"],
    "buffer_size": [250],
    "call_terminate": [90],
    "json_schema": [{"type": "object", "properties": {"lead": {"type": "string"}}}, {"type": "array"}],
    "is_subjective": [True],
    "subjective_type": ["text", "email"],
    "pattern": ["^[0-9]+$"],
    "dispositions": [[{"name": "Outcome", "question": "How did it end?", "is_subjective": True}], []],
    "objective_options": [[{"value": "yes", "condition": "They agreed"}]],
    "scheduled_at": ["2026-12-04T09:00:00Z", "2020-01-01T00:00:00Z"],
    "from_phone_numbers": [[FROM], ["+14155550199"]],
    "auth_type": ["userpass"],
    "auth_username": ["joe"],
    "auth_password": ["open sesame"],
    "gateways": [[{"gateway_address": "sip.example.com"}]],
    "ip_identifiers": [[{"ip_address": "203.0.113.7"}]],
    "allow": ["ulaw,alaw"],
    "direct_media": [False],
    "media_encryption": ["no"],
    "qualify_frequency": [60],
    "phone_numbers": [[]],
    "country": ["US"],
    "phone_number": [POOL[0], "call me"],
    "file": ["contact_number,name\r\n+14155550123,Ann\r\n", "name\r\nAnn\r\n"],
}
"""What requests hold where a random value would find nothing, or would seldom be one of a whole agent."""
_CHECKS: Final = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


def labels(description: Json) -> list[str]:
    """Of its operations: `GET /agent/{agent_id}`."""
    return [
        f"{method.upper()} {path}" for path, methods in description["paths"].items() for method in methods
    ]


class Requests:
    """Those that a description leads to; the same ones at every run."""

    def __init__(self, description: Json) -> None:
        self._schema: BaseSchema = schemathesis.openapi.from_dict(_offering(description))
        self._at_boundaries: dict[str, tuple[list[Case], ...]] = {}

    def check(self, label: str, check: Callable[[Case], None], *, random: int, boundaries: int) -> None:
        """Check so many of an operation at random, and so many with a value at one of its boundaries."""
        for cases in self._with_boundaries(label):
            # Evenly taken; operations with the same body begin at another one.
            start, step = sum(label.encode()), max(1, 2 * len(cases) // boundaries)
            for case in islice(cases, start % step, None, step):
                check(case)

        @seed(1)
        @settings(
            max_examples=random,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(self._operation(label).as_strategy())
        def at_random(case: Case) -> None:
            check(case)

        at_random()

    def _operation(self, label: str) -> APIOperation[Any, Any]:
        method, _, path = label.partition(" ")
        return self._schema[path][method]

    def _with_boundaries(self, label: str) -> tuple[list[Case], ...]:
        """Valid ones and others."""
        # What schemathesis calls its coverage phase. Its own way to it, the pytest plugin, makes all requests while
        # tests are collected, and for each database again, which takes minutes.
        if label not in self._at_boundaries:
            operation, config = self._operation(label), self._schema.config
            self._at_boundaries[label] = tuple(
                list(
                    CoverageGenerator(
                        operation=operation,
                        generation_modes=[mode],
                        generation_config=config.generation_for(operation=operation, phase="coverage"),
                        auth_storage=None,
                        override=overrides.with_config_headers(config, operation=operation),
                        feedback=NO_FEEDBACK,
                    )
                )
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
            )
        return self._at_boundaries[label]


def _offering(description: Json) -> Json:
    """The same for requests to name what is there."""
    changed = deepcopy(description)
    for methods in changed["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                _offer(parameter, "schema", parameter["name"])
            _offer_in(operation.get("requestBody", {}), changed["components"]["schemas"])
    return changed


def _offer_in(value: Any, schemas: Json) -> None:
    """In every object of a body."""
    ahead, known = [value], set()
    while ahead:
        item = ahead.pop()
        if isinstance(item, list):
            ahead += item
        elif isinstance(item, dict):
            ahead += item.values()
            if (ref := item.get("$ref")) and ref not in known:
                known.add(ref)
                ahead.append(schemas[ref.rpartition("/")[2]])
            for name in item.get("properties", ()):
                _offer(item["properties"], name, name)


def _offer(holder: Json, key: str, name: str) -> None:
    if name in _OFFERED:
        holder[key] = {"enum": _OFFERED[name]}


class World:
    """The application on a database. What a request deletes or stops is there again for the next one."""

    def __init__(self, database_url: str, folder: Path) -> None:
        self._url = database_url
        self._folder = folder
        self._runner = asyncio.Runner()
        self.seen: set[int] = set()
        """Statuses of all answers."""

    def __enter__(self) -> World:
        self._db: Database = self._runner.run(open_database(self._url))
        self._opening = open_api(self._db, self._folder)
        self._api: Api = self._runner.run(self._opening.__aenter__())
        self._there = self._furnished()
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._opening.__aexit__(None, None, None))
        self._runner.run(self._db.close())
        self._runner.close()

    def check(self, case: Case) -> None:
        """Send it. Raises for an answer that is not as the description says."""
        answer = self._runner.run(self._send(case))
        self.seen.add(answer.status_code)
        case.validate_response(answer, checks=_CHECKS)
        if case.method == "DELETE" or case.path.endswith("/stop"):
            self._there = self._furnished()

    def _furnished(self) -> Belongings:
        return self._runner.run(furnish(self._api, self._api.account))

    async def _send(self, case: Case) -> httpx.Response:
        request = requests.Request(**case.as_transport_kwargs(base_url=BASE_URL)).prepare()
        headers = httpx.Headers(dict(request.headers), encoding="latin-1")
        headers["Authorization"] = self._api.client.headers["Authorization"]
        headers.pop("Content-Length", None)
        body = request.body or b""
        content = self._with_ids(case, body.encode() if isinstance(body, str) else body)
        url = self._with_ids(case, (request.url or "").encode()).decode()
        return await self._api.client.request(case.method, url, content=content, headers=headers)

    def _with_ids(self, case: Case, text: bytes) -> bytes:
        ids = self._there.ids | {"token": self._there.token}
        if case.path.endswith("/stop"):
            ids["execution_id"] = self._there.queued
        for key, name in NAMES.items():
            text = text.replace(name.encode(), ids[key].encode())
        return text
