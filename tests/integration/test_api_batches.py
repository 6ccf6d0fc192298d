"""Batches over HTTP, on both databases: forms as clients send them, and as nobody should."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from ringback.dialing.batches import Batches, BatchView
from ringback.executions.lifecycle import Status
from tests.support.api import FROM, Api, assert_refused
from tests.support.description import described_as

FILE = b"contact_number,name\r\n+14155550123,Ann\r\n+14155550124,Bob\r\n"
SOON = "2026-11-24T05:00:00Z"


def uploads(api: Api) -> list[str]:
    """What lies in the folder of uploads."""
    return sorted(os.listdir(api.services.uploads)) if api.services.uploads.exists() else []


async def upload(api: Api, agent_id: str, file: bytes = FILE, **fields: Any) -> httpx.Response:
    files = {"file": ("people.csv", file, "text/csv")}
    headers = fields.pop("headers", None)
    return await api.client.post(
        "/batches", data={"agent_id": agent_id} | fields, files=files, headers=headers
    )


async def a_batch(api: Api, agent_id: str, **fields: Any) -> str:
    answer = await upload(api, agent_id, **fields)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["batch_id"])


# Making one


async def test_a_file_becomes_a_batch(api: Api) -> None:
    agent_id = await api.agent()
    retry = {"enabled": True, "max_retries": 2, "retry_intervals_minutes": [15, 30]}
    answer = await upload(
        api,
        agent_id,
        from_phone_numbers=[FROM, FROM],
        retry_config=json.dumps(retry),
        webhook_url="https://crm.example/batches",
    )
    assert answer.status_code == 201
    batch_id = answer.json()["batch_id"]
    assert answer.json() == {"batch_id": batch_id, "state": "created"}
    assert uploads(api) == [f"{batch_id}.csv"]
    assert (api.services.uploads / f"{batch_id}.csv").read_bytes() == FILE
    batch = (await api.client.get(f"/batches/{batch_id}")).json()
    described_as("Batch", batch)
    assert batch["humanized_created_at"] == "just now"
    assert batch["from_phone_numbers"] == [FROM]
    assert batch["retry_config"] == {
        "enabled": True,
        "max_retries": 2,
        "retry_on_statuses": ["no-answer", "busy", "failed"],
        "retry_on_voicemail": False,
        "retry_intervals_minutes": [15, 30],
    }
    expected = {
        "batch_id": batch_id,
        "agent_id": agent_id,
        "created_at": "2026-11-24T04:04:05Z",
        "status": "created",
        "state": "created",
        "scheduled_at": None,
        "from_phone_number": FROM,
        "file_name": "people.csv",
        "webhook_url": "https://crm.example/batches",
        "dial_once": True,
        "paused": False,
    }
    assert batch.items() >= expected.items()


NUMBERS: list[tuple[dict[str, Any], list[str]]] = [
    ({"from_phone_number": FROM}, [FROM]),
    ({"from_phone_number": FROM, "from_phone_numbers": [FROM]}, [FROM]),
    ({"from_phone_numbers": ["", FROM, FROM]}, [FROM]),
]


@pytest.mark.parametrize(("fields", "numbers"), NUMBERS)
async def test_numbers_to_call_from(api: Api, fields: dict[str, Any], numbers: list[str]) -> None:
    batch_id = await a_batch(api, await api.agent(), **fields)
    batch = (await api.client.get(f"/batches/{batch_id}")).json()
    assert batch["from_phone_numbers"] == numbers


def part(name: str, content: bytes | str, *, disposition: str = "", headers: str = "") -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return (
        f'--b\r\nContent-Disposition: form-data; name="{name}"{disposition}\r\n{headers}\r\n'.encode()
        + content
        + b"\r\n"
    )


def a_file(content: bytes = FILE, name: str = 'filename="people.csv"') -> bytes:
    return part("file", content, disposition=f"; {name}" if name else "")


async def send(
    api: Api, *parts: bytes, end: bytes = b"--b--\r\n", kind: str = "multipart/form-data; boundary=b"
) -> httpx.Response:
    return await api.client.post("/batches", content=b"".join(parts) + end, headers={"Content-Type": kind})


def _filled(agent: str) -> list[bytes]:
    return [part("agent_id", agent), part("from_phone_numbers", FROM)]


WELL_MEANT: dict[str, Callable[[str], list[bytes]]] = {
    "the file first": lambda agent: [a_file(), *_filled(agent)],
    "the file in the middle": lambda agent: [
        part("from_phone_numbers", FROM),
        a_file(),
        part("agent_id", agent),
    ],
    "no name of the file": lambda agent: [*_filled(agent), a_file(name="")],
    "an empty name of the file": lambda agent: [*_filled(agent), a_file(name='filename=""')],
    "a path of Windows": lambda agent: [*_filled(agent), a_file(name='filename="C:\\\\tmp\\\\people.csv"')],
    "a field twice, the same": lambda agent: [*_filled(agent), *_filled(agent), a_file()],
    "unknown fields and files": lambda agent: [
        part("colour", "blue"),
        part("logo", b"\x89PNG", disposition='; filename="logo.png"').replace(b"\x89", b"-"),
        *_filled(agent),
        a_file(),
    ],
    "a text as a file": lambda agent: [
        part("agent_id", agent, disposition='; filename="agent.txt"'),
        a_file(),
    ],
    "spaces": lambda agent: [part("agent_id", f" {agent}\n"), a_file()],
    "not filled in": lambda agent: [
        *_filled(agent),
        part("retry_config", ""),
        part("webhook_url", ""),
        part("dial_once", ""),
        a_file(),
    ],
    "headers of a part": lambda agent: [
        part("agent_id", agent, headers="Content-Type: text/plain; charset=utf-8\r\n"),
        part("file", FILE, disposition='; filename="a.csv"', headers="Content-Transfer-Encoding: binary\r\n"),
    ],
}


@pytest.mark.parametrize("name", WELL_MEANT)
async def test_forms_that_are_taken(api: Api, name: str) -> None:
    agent_id = await api.agent()
    answer = await send(api, *WELL_MEANT[name](agent_id))
    assert answer.status_code == 201, answer.text
    batch_id = answer.json()["batch_id"]
    assert (api.services.uploads / f"{batch_id}.csv").read_bytes() == FILE
    batch = (await api.client.get(f"/batches/{batch_id}")).json()
    assert batch["agent_id"] == agent_id
    assert batch["file_name"] in ("people.csv", "batch.csv", "a.csv")
    assert (batch["dial_once"], batch["retry_config"], batch["webhook_url"]) == (True, None, None)


E164 = "must be a phone number in E.164 form, such as +14155550123"
HEADER = "file: The header has no column contact_number"
BAD: list[tuple[str, Callable[[str], list[bytes]], str]] = [
    ("nothing", lambda agent: [], "The form ended too early: its closing boundary is missing"),
    ("no file", _filled, "file is required"),
    ("no agent", lambda agent: [a_file()], "agent_id is required"),
    ("no file was chosen", lambda agent: [*_filled(agent), a_file(b"", 'filename=""')], "file is required"),
    ("two files", lambda agent: [*_filled(agent), a_file(), a_file()], "file was sent twice: send one file"),
    (
        "two agents",
        lambda agent: [part("agent_id", str(uuid4())), *_filled(agent), a_file()],
        "agent_id was sent 2 times: send one",
    ),
    ("no id", lambda agent: [part("agent_id", "42"), a_file()], "agent_id must be a UUID"),
    (
        "a number that is none",
        lambda agent: [*_filled(agent), part("from_phone_numbers", "me"), a_file()],
        f"from_phone_numbers[1] {E164}",
    ),
    (
        "numbers of others",
        lambda agent: [part("agent_id", agent), part("from_phone_numbers", "+14155550199"), a_file()],
        "",
    ),
    (
        "too many numbers",
        lambda agent: [
            part("agent_id", agent),
            *(part("from_phone_numbers", f"+1415555{n:04}") for n in range(101)),
            a_file(),
        ],
        "from_phone_numbers must hold at most 100 items",
    ),
    (
        "a policy that is no JSON",
        lambda agent: [*_filled(agent), part("retry_config", "{enabled: true}"), a_file()],
        "retry_config must be JSON: ",
    ),
    (
        "a policy that is no object",
        lambda agent: [*_filled(agent), part("retry_config", "[1]"), a_file()],
        "retry_config must be an object",
    ),
    (
        "a policy that goes too far",
        lambda agent: [*_filled(agent), part("retry_config", '{"max_retries": 50}'), a_file()],
        "retry_config.max_retries must be at most 3",
    ),
    (
        "no URL",
        lambda agent: [*_filled(agent), part("webhook_url", "crm.example"), a_file()],
        "webhook_url must begin with http:// or https://",
    ),
    (
        "no flag",
        lambda agent: [*_filled(agent), part("dial_once", "perhaps"), a_file()],
        "dial_once must be true or false",
    ),
    ("an empty file", lambda agent: [*_filled(agent), a_file(b"")], HEADER),
    ("no header", lambda agent: [*_filled(agent), a_file(b"+14155550123,Ann\n")], HEADER),
    (
        "semicolons",
        lambda agent: [*_filled(agent), a_file(b"contact_number;name\n+14155550123;Ann\n")],
        f"{HEADER}; its columns must be separated by commas",
    ),
    (
        "no lines",
        lambda agent: [*_filled(agent), a_file(b"contact_number,name\n\n")],
        "file: There is no line after the header",
    ),
    (
        "UTF-16",
        lambda agent: [*_filled(agent), a_file("contact_number\n".encode("utf-16"))],
        "file: The file is UTF-16 text; save it as CSV in UTF-8",
    ),
    ("not UTF-8", lambda agent: [part("agent_id", b"\xff"), a_file()], "agent_id is not UTF-8 at byte 0"),
    (
        "NUL",
        lambda agent: [part("agent_id", f"{agent}\0"), a_file()],
        "agent_id holds a character that cannot be stored (NUL)",
    ),
    (
        "a long field",
        lambda agent: [part("agent_id", "4" * 70_000), a_file()],
        "agent_id is longer than 65536 bytes",
    ),
    (
        "many parts",
        lambda agent: [part(f"f{n}", "1") for n in range(1_001)],
        "The form has more than 1000 parts",
    ),
    (
        "a part without a name",
        lambda agent: [b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n", a_file()],
        "A part of the form has no name in its Content-Disposition",
    ),
    ("no parts", lambda agent: [b"agent_id=1"], "The body is not multipart/form-data: "),
    (
        "a broken header",
        lambda agent: [b"--b\r\nContent-Disposition\r\n\r\nx\r\n"],
        "The body is not multipart/form-data: ",
    ),
]


@pytest.mark.parametrize(("form", "message"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_forms_that_are_refused(api: Api, form: Callable[[str], list[bytes]], message: str) -> None:
    agent_id = await api.agent()
    before = await api.rows()
    parts = form(agent_id)
    answer = await send(api, *parts, end=b"--b--\r\n" if parts else b"")
    assert_refused(answer, 400)
    assert answer.json()["message"].startswith(message)
    assert await api.rows() == before
    assert uploads(api) == []


async def test_a_form_that_breaks_off(api: Api) -> None:
    agent_id = await api.agent()
    for whole in (b"".join([*_filled(agent_id), a_file()]), a_file()[:-30]):
        assert_refused(
            await send(api, whole, end=b""),
            400,
            "The form ended too early: its closing boundary is missing",
        )
    assert uploads(api) == []


@pytest.mark.parametrize(
    "kind",
    [
        "",
        "application/json",
        "text/csv",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=b",
    ],
)
async def test_what_is_no_form(api: Api, kind: str) -> None:
    answer = await send(api, *_filled(await api.agent()), a_file(), kind=kind)
    assert_refused(answer, 400, "Send a form: Content-Type multipart/form-data with its boundary")


async def test_a_boundary_that_is_too_long(api: Api) -> None:
    answer = await send(api, a_file(), kind=f"multipart/form-data; boundary={'b' * 300}")
    assert_refused(answer, 400)
    assert "Boundary length" in answer.json()["message"]


async def test_limits_of_files(api: Api) -> None:
    agent_id = await api.agent()
    line = b"+14155550123,Ann\r\n"
    client = api.with_services(max_batch_bytes=4_000, max_body_bytes=1_000)
    data, before = {"agent_id": agent_id}, await api.rows()
    exact = (FILE + line * 1_000)[:4_000]
    for file in (exact + b"\n", FILE + line * 1_000):
        answer = await client.post("/batches", data=data, files={"file": ("a.csv", file)})
        assert answer.status_code == 413
    assert uploads(api) == []
    assert await api.rows() == before
    answer = await client.post("/batches", data=data, files={"file": ("a.csv", exact)})
    assert answer.status_code == 201, answer.text
    # Other bodies keep the limit of bodies.
    assert (await client.post("/call", content=b" " * 1_001)).status_code == 413


async def test_a_large_file_through_a_real_socket(api: Api) -> None:
    """Larger than any other body, in pieces; and one that is refused in its midst."""
    agent_id = await api.agent()
    file = FILE + b"+14155550123,Ann\r\n" * 200_000
    headers = {"Authorization": api.client.headers["authorization"]}
    async with api.server() as url, httpx.AsyncClient(base_url=url, headers=headers, timeout=30) as client:
        answer = await client.post("/batches", data={"agent_id": agent_id}, files={"file": ("a.csv", file)})
        assert answer.status_code == 201, answer.text
        assert (api.services.uploads / f"{answer.json()['batch_id']}.csv").read_bytes() == file
        refused = await client.post("/batches", data={"agent_id": "42"}, files={"file": ("a.csv", file)})
        assert_refused(refused, 400, "agent_id must be a UUID")
    assert len(uploads(api)) == 1


async def test_who_is_refused_before_all_is_sent_reads_why(api: Api) -> None:
    """A client that reads only when it has written all; the connection must not be reset under it."""
    file = FILE + b"+14155550123,Ann\r\n" * 600_000
    async with api.server() as url, httpx.AsyncClient(base_url=url, timeout=30) as client:
        headers = {"Authorization": "Bearer none"}
        answer = await client.post("/batches", files={"file": ("a.csv", file)}, headers=headers)
        assert_refused(answer, 401)
        headers = {"Authorization": api.client.headers["authorization"]}
        files = {"file": ("a.csv", FILE), "x": ("x", file)}
        answer = await client.post("/batches", files=files, headers=headers)
        assert_refused(answer, 400, "x is longer than 65536 bytes")
    assert uploads(api) == []


async def test_a_disk_that_does_not_take_it(api: Api, tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    client = api.with_services(uploads=tmp_path / "in the way" / "uploads")
    answer = await client.post(
        "/batches", data={"agent_id": await api.agent()}, files={"file": ("a.csv", FILE)}
    )
    assert_refused(answer, 503, "The file cannot be kept: Not a directory")
    assert answer.headers["retry-after"]


async def test_a_disk_that_is_nearly_full_is_left_to_the_database(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ringback.api.upload._KEPT_FREE", 2**62)
    answer = await upload(api, await api.agent())
    assert_refused(answer, 503, "The file cannot be kept: No space left on device")
    assert answer.headers["retry-after"]
    assert uploads(api) == []


async def test_an_agent_that_goes_meanwhile(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def create(*_: Any) -> None:
        raise LookupError("there is no agent")

    monkeypatch.setattr(Batches, "create", create)
    agent_id = await api.agent()
    before = await api.rows()
    answer = await upload(api, agent_id)
    assert_refused(answer, 404, f"There is no agent {agent_id}")
    assert await api.rows() == before
    assert uploads(api) == []


# Scheduling it


async def schedule(api: Api, batch_id: str, **sent: Any) -> httpx.Response:
    return await api.client.post(f"/batches/{batch_id}/schedule", **sent)


@pytest.mark.parametrize(
    ("sent", "bypassed"),
    [
        ({"json": {"scheduled_at": SOON}}, False),
        ({"json": {"scheduled_at": "2026-11-24T10:30:00+05:30", "bypass_call_guardrails": True}}, True),
        ({"files": {"scheduled_at": (None, "2026-11-24 10:30:00+05:30")}}, False),
        ({"files": {"scheduled_at": (None, SOON), "bypass_call_guardrails": (None, "True")}}, True),
        (
            {"files": {"scheduled_at": (None, "2026-11-24T05:00:00"), "bypass_call_guardrails": (None, "")}},
            False,
        ),
        ({"data": {"scheduled_at": SOON, "bypass_call_guardrails": "true"}}, True),
    ],
)
async def test_a_batch_is_scheduled(api: Api, sent: dict[str, Any], bypassed: bool) -> None:
    batch_id = await a_batch(api, await api.agent())
    answer = await schedule(api, batch_id, **sent)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"message": "success", "state": "scheduled", "scheduled_at": SOON}
    batch = (await api.client.get(f"/batches/{batch_id}")).json()
    assert (batch["status"], batch["scheduled_at"]) == ("scheduled", SOON)
    assert batch["bypass_call_guardrails"] is bypassed


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "scheduled_at is required"),
        (
            {"scheduled_at": "soon"},
            "scheduled_at must be an ISO 8601 time, such as 2026-06-05T16:35:00+05:30",
        ),
        (
            {"scheduled_at": "2026-11-24T04:06:04Z"},
            "Scheduled time should be atleast 2 minutes in the future",
        ),
        ({"scheduled_at": "2026-12-24T04:04:06Z"}, "Scheduled time should be at most 30 days in the future"),
        (
            {"scheduled_at": SOON, "bypass_call_guardrails": "maybe"},
            "bypass_call_guardrails must be true or false",
        ),
    ],
)
async def test_schedules_that_are_refused(api: Api, body: dict[str, str], message: str) -> None:
    batch_id = await a_batch(api, await api.agent())
    form = {name: (None, text) for name, text in body.items()} or {"colour": (None, "blue")}
    for sent in ({"json": body}, {"files": form}):
        assert_refused(await schedule(api, batch_id, **sent), 400, message)
    assert (await api.client.get(f"/batches/{batch_id}")).json()["status"] == "created"


async def test_the_edges_of_a_schedule(api: Api) -> None:
    batch_id = await a_batch(api, await api.agent())
    for at in ("2026-11-24T04:06:05Z", "2026-12-24T04:04:05Z"):
        assert (await schedule(api, batch_id, json={"scheduled_at": at})).json()["scheduled_at"] == at


async def test_a_schedule_is_rounded_up_where_a_setting_says_so(api: Api) -> None:
    batch_id = await a_batch(api, await api.agent())
    client = api.with_services(round_minutes=10)
    for asked, applied in (("04:50:00", "04:50:00"), ("04:50:01", "05:00:00")):
        body = {"scheduled_at": f"2026-11-24T{asked}Z"}
        answer = await client.post(f"/batches/{batch_id}/schedule", json=body)
        assert answer.json()["scheduled_at"] == f"2026-11-24T{applied}Z"


# Ending it


async def test_stop_and_delete(api: Api) -> None:
    agent_id = await api.agent()
    batch_id = await a_batch(api, agent_id)
    assert (await schedule(api, batch_id, json={"scheduled_at": SOON})).status_code == 200
    answer = await api.client.post(f"/batches/{batch_id}/stop")
    assert (answer.status_code, answer.json()) == (200, {"message": "success", "state": "stopped"})
    assert (await api.client.get(f"/batches/{batch_id}")).json()["status"] == "stopped"
    assert_refused(await api.client.post(f"/batches/{batch_id}/stop"), 404, "Batch is not queued or running")
    assert_refused(await schedule(api, batch_id, json={"scheduled_at": SOON}), 400)
    answer = await api.client.delete(f"/batches/{batch_id}")
    assert (answer.status_code, answer.json()) == (200, {"message": "success", "state": "deleted"})
    gone = f"There is no batch {batch_id}"
    for method, path in (
        ("GET", "/executions"),
        ("GET", ""),
        ("DELETE", ""),
        ("POST", "/stop"),
        ("GET", "/bad-lines"),
    ):
        assert_refused(await api.client.request(method, f"/batches/{batch_id}{path}"), 404, gone)
    assert_refused(await schedule(api, batch_id, json={"scheduled_at": SOON}), 404, gone)
    assert (await api.client.get(f"/batches/{agent_id}/all")).json() == []


# Looking at it


async def test_the_batches_of_an_agent(api: Api) -> None:
    agent_id, other = await api.agent(), await api.agent()
    assert (await api.client.get(f"/batches/{agent_id}/all")).json() == []
    made = []
    for _ in range(3):
        made.append(await a_batch(api, agent_id))
        api.clock.us += 1_000_000
    await a_batch(api, other)
    listed = (await api.client.get(f"/batches/{agent_id}/all")).json()
    assert [batch["batch_id"] for batch in listed] == made[::-1]
    assert [batch["humanized_created_at"] for batch in listed] == [
        "1 second ago",
        "2 seconds ago",
        "3 seconds ago",
    ]
    for batch in listed:
        described_as("Batch", batch)
        assert batch == (await api.client.get(f"/batches/{batch['batch_id']}")).json()
    unknown = str(uuid4())
    assert_refused(await api.client.get(f"/batches/{unknown}/all"), 404, f"There is no agent {unknown}")


async def test_how_far_a_batch_is(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both spellings of its id."""
    get = Batches.get

    async def got(*key: Any) -> BatchView:
        counts = {status: n for n, status in enumerate(Status)}
        return replace(await get(*key), counts=counts, paused_reason="16 of the last 20 calls failed")

    monkeypatch.setattr(Batches, "get", got)
    batch_id = await a_batch(api, await api.agent())
    dashed = f"{batch_id[:8]}-{batch_id[8:12]}-{batch_id[12:16]}-{batch_id[16:20]}-{batch_id[20:]}"
    batch = (await api.client.get(f"/batches/{dashed}")).json()
    described_as("Batch", batch)
    counts = {str(status): n for n, status in enumerate(Status) if n}
    assert batch["execution_status"] == counts

    def counted(*statuses: str) -> int:
        return sum(counts.get(status, 0) for status in statuses)

    assert batch["queued_count"] == counted("prepared", "scheduled", "rescheduled", "queued")
    assert batch["in_progress_count"] == counted("initiated", "ringing", "in-progress", "call-disconnected")
    assert batch["failed_count"] == counted("failed", "error")
    for name in ("completed", "no-answer", "busy"):
        assert batch[f"{name.replace('-', '_')}_count"] == counted(name)
    assert (batch["paused"], batch["paused_reason"]) == (True, "16 of the last 20 calls failed")


async def test_bad_lines(api: Api) -> None:
    batch_id = await a_batch(api, await api.agent())
    rows = [
        (3, "=1+2", 'it says "no", twice'),
        (17, None, "contact_number is empty"),
        (18, "+1415", "Schöne\nZeile"),
    ]
    async with api.db.transaction() as tx:
        names = ("account_id", "batch_id", "line", "number", "reason")
        await tx.insert_rows("batch_faults", names, [(api.account, batch_id, *row) for row in rows])
    answer = await api.client.get(f"/batches/{batch_id}/bad-lines")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="bad-lines-{batch_id}.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline=""))) == [
        ["line", "contact_number", "reason"],
        ["3", "'=1+2", 'it says "no", twice'],
        ["17", "", "contact_number is empty"],
        ["18", "+1415", "Schöne\nZeile"],
    ]


async def test_executions_of_a_batch_whose_file_was_not_read(api: Api) -> None:
    batch_id = await a_batch(api, await api.agent())
    assert (await api.client.get(f"/batches/{batch_id}/executions")).json() == []
    page = (await api.client.get(f"/batch/{batch_id}/executions", params={"page_size": 5})).json()
    assert (page["total"], page["data"], page["has_more"]) == (0, [], False)


async def test_an_agent_is_stopped_with_its_batches(api: Api) -> None:
    agent_id, other = await api.agent(), await api.agent()
    body = {"recipient_phone_number": "+14155550123"}
    call = (await api.client.post("/call", json=body | {"agent_id": agent_id})).json()["execution_id"]
    others = (await api.client.post("/call", json=body | {"agent_id": other})).json()["execution_id"]
    scheduled, uploaded = await a_batch(api, agent_id), await a_batch(api, agent_id)
    assert (await schedule(api, scheduled, json={"scheduled_at": SOON})).status_code == 200
    answer = await api.client.post(f"/v2/agent/{agent_id}/stop")
    assert (answer.status_code, answer.json()) == (200, {"stopped_executions": [call]})
    states = [(await api.client.get(f"/batches/{id_}")).json()["status"] for id_ in (scheduled, uploaded)]
    assert states == ["stopped", "stopped"]
    statuses = [(await api.client.get(f"/executions/{id_}")).json()["status"] for id_ in (call, others)]
    assert statuses == ["stopped", "queued"]
    # What comes later is dialled.
    assert (await api.client.post("/call", json=body | {"agent_id": agent_id})).status_code == 200
    assert_refused(await schedule(api, uploaded, json={"scheduled_at": SOON}), 400)
    assert (await schedule(api, await a_batch(api, agent_id), json={"scheduled_at": SOON})).status_code == 200


async def test_an_id_that_is_none(api: Api) -> None:
    for path in ("/batches/42", "/batches/42/bad-lines"):
        assert_refused(await api.client.get(path), 400, "batch_id must be a UUID")


# The same request again


async def test_a_file_sent_again_makes_no_second_batch(api: Api) -> None:
    agent_id = await api.agent()
    headers = {"Idempotency-Key": "people of November"}
    first = await upload(api, agent_id, headers=headers)
    rows = await api.rows()
    again = await upload(api, agent_id, headers=headers)
    assert (again.status_code, again.content) == (201, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert await api.rows() == rows
    assert uploads(api) == [f"{first.json()['batch_id']}.csv"]
    for change in ({"file": FILE + b"+14155550125,Eve\n"}, {"dial_once": "false"}):
        assert_refused(await upload(api, agent_id, headers=headers, **change), 409)
    assert await api.rows() == rows
    assert len(uploads(api)) == 1
    assert (await upload(api, agent_id, headers={"Idempotency-Key": "another"})).status_code == 201
    assert len(uploads(api)) == 2


async def test_the_same_file_many_times_at_the_same_moment(api: Api) -> None:
    agent_id, headers = await api.agent(), {"Idempotency-Key": "k"}
    answers = await asyncio.gather(*(upload(api, agent_id, headers=headers) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {201}
    [batch_id] = {answer.json()["batch_id"] for answer in answers}
    assert uploads(api) == [f"{batch_id}.csv"]
    assert [batch["batch_id"] for batch in (await api.client.get(f"/batches/{agent_id}/all")).json()] == [
        batch_id
    ]


async def test_what_was_refused_may_be_sent_again_put_right(api: Api) -> None:
    headers = {"Idempotency-Key": "1"}
    agent_id = await api.agent()
    assert (await upload(api, agent_id, b"name\nAnn\n", headers=headers)).status_code == 400
    assert (await upload(api, str(uuid4()), headers=headers)).status_code == 404
    assert (
        await upload(api, agent_id, from_phone_numbers="+14155550199", headers=headers)
    ).status_code == 400
    assert (await upload(api, agent_id, headers=headers)).status_code == 201
