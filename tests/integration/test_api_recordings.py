"""Recordings over HTTP: the token of the link or a key opens them, whole or in ranges."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from ringback.executions.lifecycle import Status
from ringback.executions.transfer import Transfer
from tests.support.api import BASE_URL, Api, assert_refused

AUDIO = bytes(range(256)) * 4


@dataclass
class Recorded:
    id: str
    url: str
    token: str


async def record(api: Api, path: str, content: bytes | None = AUDIO) -> Recorded:
    """A completed call whose recording is said to lie at `path`."""
    [execution] = await api.executions(await api.agent(), 1)
    file = api.recordings / path
    if content is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    token = f"token of {execution}"
    for status in (Status.INITIATED, Status.IN_PROGRESS, Status.CALL_DISCONNECTED):
        await api.ledger.transition(api.account, execution, status)
    await api.ledger.transition(
        api.account,
        execution,
        Status.COMPLETED,
        attempt={"recording_path": path, "recording_token": token, "recording_ms": 1000},
    )
    return Recorded(execution, f"/recordings/call/{execution}", token)


async def test_with_the_token_and_no_key(api: Api) -> None:
    recorded = await record(api, "a.wav")
    answer = await api.nobody.get(recorded.url, params={"token": recorded.token})
    assert (answer.status_code, answer.content) == (200, AUDIO)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-length"] == str(len(AUDIO))


async def test_the_link_in_the_record_opens_it(api: Api) -> None:
    recorded = await record(api, "a.wav")
    execution = (await api.client.get(f"/executions/{recorded.id}")).json()
    link = execution["telephony_data"]["recording_url"]
    assert (await api.nobody.get(link)).content == AUDIO


async def test_with_the_key(api: Api) -> None:
    recorded = await record(api, "sub/a.wav")
    assert (await api.client.get(recorded.url)).content == AUDIO


async def test_who_does_not_get_it(api: Api) -> None:
    recorded = await record(api, "a.wav")
    assert_refused(await api.nobody.get(recorded.url), 401, "Access denied")
    bad_key = {"Authorization": "Bearer bn-wrong"}
    assert_refused(await api.nobody.get(recorded.url, headers=bad_key), 401, "Access denied")
    missing = f"There is no recording of execution {recorded.id}"
    assert_refused(await api.nobody.get(recorded.url, params={"token": "wrong"}), 404, missing)
    assert_refused(await api.nobody.get(recorded.url, params={"token": ""}), 404, missing)
    assert_refused(await api.stranger.get(recorded.url), 404, missing)
    other = await record(api, "b.wav")
    assert_refused(await api.nobody.get(f"/recordings/call/{uuid4()}?token={recorded.token}"), 404)
    assert_refused(await api.nobody.get("/recordings/call/42?token=x"), 400, "execution_id must be a UUID")
    assert_refused(await api.nobody.get(other.url, params={"token": recorded.token}), 404)
    assert (await api.nobody.get(other.url, params={"token": other.token})).status_code == 200


async def test_of_a_transfer(api: Api) -> None:
    """Its link opens it and nothing else, the key opens both; the one that was answered is the record's."""
    recorded = await record(api, "a.wav")
    (api.recordings / "b.wav").write_bytes(AUDIO[::-1])
    tries = [
        Transfer("attended", "+1", "+2", "x", "c1", 1, answered_at=2, ended_at=3, recording_path="b.wav"),
        Transfer("attended", "+1", "+2", "x", "c2", 4, ended_at=5),
    ]
    await api.ledger.update(
        api.account, recorded.id, attempt={"transfers": tries, "transfer_token": "of the transfer"}
    )
    told = (await api.client.get(f"/executions/{recorded.id}")).json()["transfer_call_data"]
    assert told["provider_call_id"] == "c1"
    url = f"/recordings/transfer/{recorded.id}"
    assert told["recording_url"] == f"{BASE_URL}{url}?token=of the transfer"
    assert (await api.nobody.get(told["recording_url"])).content == AUDIO[::-1]
    part = await api.client.get(url, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, AUDIO[::-1][:4])
    missing = f"There is no recording of a transfer of execution {recorded.id}"
    for token in (recorded.token, "", "wrong"):
        assert_refused(await api.nobody.get(url, params={"token": token}), 404, missing)
    assert_refused(await api.nobody.get(url), 401, "Access denied")
    assert_refused(await api.stranger.get(url), 404, missing)
    assert (await api.nobody.get(recorded.url, params={"token": "of the transfer"})).status_code == 404
    await api.ledger.update(api.account, recorded.id, attempt={"transfers": tries[1:]})
    assert_refused(await api.client.get(url), 404, missing)


async def test_head(api: Api) -> None:
    recorded = await record(api, "a.wav")
    answer = await api.nobody.head(recorded.url, params={"token": recorded.token})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(AUDIO))
    assert answer.headers["accept-ranges"] == "bytes"


async def test_ranges(api: Api) -> None:
    recorded = await record(api, "a.wav")
    for asked, start, stop in [
        ("bytes=0-", 0, 1024),
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=1000-5000", 1000, 1024),
        ("bytes=-24", 1000, 1024),
        ("bytes=-5000", 0, 1024),
    ]:
        answer = await api.client.get(recorded.url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, AUDIO[start:stop])
        assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/1024"
        head = await api.client.head(recorded.url, headers={"Range": asked})
        assert (head.status_code, head.content) == (206, b"")


async def test_ranges_outside_the_file(api: Api) -> None:
    recorded = await record(api, "a.wav")
    for asked in ("bytes=1024-", "bytes=5000-6000", "bytes=-0"):
        answer = await api.client.get(recorded.url, headers={"Range": asked})
        assert_refused(answer, 416, f"The range {asked} lies outside the recording of 1024 bytes")
        assert answer.headers["content-range"] == "bytes */1024"


async def test_ranges_that_are_ignored(api: Api) -> None:
    recorded = await record(api, "a.wav")
    for asked in ("bytes=5-2", "bytes=-", "lines=1-2", "bytes=a-b", "bytes=0-1,5-6", ""):
        answer = await api.client.get(recorded.url, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (200, AUDIO), asked


async def test_no_recording(api: Api) -> None:
    [execution] = await api.executions(await api.agent(), 1)
    answer = await api.client.get(f"/recordings/call/{execution}")
    assert_refused(answer, 404, f"There is no recording of execution {execution}")


async def test_a_file_that_is_gone_or_lies_elsewhere(api: Api, tmp_path: Path) -> None:
    gone = await record(api, "gone.wav", None)
    assert_refused(await api.client.get(gone.url), 404)
    (tmp_path / "secret").write_text("secret")
    outside = await record(api, "../secret", None)
    assert_refused(await api.client.get(outside.url), 404)
    absolute = await record(api, "/etc/passwd", None)
    assert_refused(await api.client.get(absolute.url), 404)


async def test_a_deleted_agent_takes_its_recordings_along_and_nothing_else(api: Api) -> None:
    gone, kept = await record(api, "mine/gone.wav"), await record(api, "mine/kept.wav")
    outside = api.recordings.parent / "outside.wav"
    outside.write_bytes(AUDIO)
    astray = await record(api, "../outside.wav", None)
    for recorded in (gone, astray):
        agent_id = (await _execution(api, recorded))["agent_id"]
        assert (await api.client.delete(f"/v2/agent/{agent_id}")).status_code == 200
    assert not (api.recordings / "mine/gone.wav").exists()
    assert (api.recordings / "mine/kept.wav").exists()
    assert outside.exists()
    assert (await _execution(api, kept))["id"] == kept.id


async def _execution(api: Api, recorded: Recorded) -> dict[str, str]:
    found: dict[str, str] = (await api.client.get(f"/executions/{recorded.id}")).json()
    return found
