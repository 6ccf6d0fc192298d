"""The judgement of the soak: what counts as lost, as a right recording, as flat memory."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import pytest

from benchmarks.inbound.audit import Memory, audited
from benchmarks.inbound.callers import Called
from ringback.media.g711 import Codec
from ringback.telephony.sip.events import Connected, Finished
from ringback.telephony.sip.sdp import Media

MEDIA = Media(("127.0.0.1", 4000), Codec.PCMU, None, True)


def recorded(folder: Path, execution_id: str, seconds: float) -> None:
    (folder / "account").mkdir(exist_ok=True)
    with wave.open(str(folder / "account" / f"{execution_id}-1.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(round(seconds * 8000) * 4))


def record(execution_id: str, call_id: str, status: str = "completed") -> dict[str, Any]:
    return {"id": execution_id, "status": status, "telephony_data": {"provider_call_id": call_id}}


def call(call_id: str, seconds: float = 10.0, ours: bool = True) -> Called:
    return Called(call_id, 4000, answered=100.0, ended=100.0 + seconds, ours=ours)


def test_a_call_that_was_answered_and_hung_up_by_its_caller_is_not_lost() -> None:
    one = Called("a")
    one.hear(Connected(MEDIA))
    assert one.done.is_set()
    one.hear(Finished(ours=True))
    assert not one.lost
    assert one.leg == 4000


@pytest.mark.parametrize(
    "events", [[Finished(ours=False, status=503)], [Connected(MEDIA), Finished(ours=False)]]
)
def test_one_that_was_refused_or_cut_off_is(events: list[Any]) -> None:
    one = Called("a")
    for event in events:
        one.hear(event)
    assert one.lost


def test_recordings_are_as_long_as_their_calls(tmp_path: Path) -> None:
    recorded(tmp_path, "right", 10.2)
    recorded(tmp_path, "short", 9.0)
    calls = [call("a"), call("b"), call("c"), call("d", ours=False)]
    records = [record("right", "a"), record("short", "b"), record("none", "c", "call-disconnected")]
    assert audited(calls, records, tmp_path) == {
        "lost_calls": 1,
        "records_completed": 2,
        "recordings_right": 1,
    }


def test_memory_that_grows_is_not_flat() -> None:
    flat = Memory(1, [(second, 100.0 + (50 if second == 0 else 0)) for second in range(0, 400, 5)])
    assert flat.figures() == {"worker_mb_begin": 100.0, "worker_mb_end": 100.0, "worker_mb_per_hour": 0.0}
    growing = Memory(1, [(second, 100.0 + second / 36) for second in range(0, 400, 5)])
    assert growing.figures()["worker_mb_per_hour"] == 100.0
