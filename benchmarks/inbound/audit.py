"""Whether each call left a record and a recording of the right length, and whether the worker's memory is flat."""

from __future__ import annotations

import os
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from benchmarks.inbound.callers import Called
from benchmarks.inbound.house import Record

LENGTH_S: Final = 0.5
"""By so much a recording may differ from the call that its caller had."""
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Memory:
    """Of a process, looked at again and again."""

    pid: int
    samples: list[tuple[float, float]] = field(default_factory=list)
    """Monotonic seconds and MB."""

    def look(self) -> None:
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        self.samples.append((time.monotonic(), pages * _PAGE_BYTES / 1e6))

    def figures(self) -> dict[str, float]:
        """What it grows by is measured over the later three quarters: before, every call still makes its buffers."""
        later = self.samples[len(self.samples) // 4 :]
        at, megabytes = np.array(later).T
        slope = np.polyfit(at - at[0], megabytes, 1)[0] if len(later) > 2 else float("nan")
        return {
            "worker_mb_begin": round(megabytes[0], 1),
            "worker_mb_end": round(megabytes[-1], 1),
            "worker_mb_per_hour": round(float(slope) * 3600, 1),
        }


def audited(called: Sequence[Called], records: Sequence[Record], recordings: Path) -> dict[str, int]:
    """How many calls were lost, have a complete record, and a recording as long as they were."""
    by_call = {record["telephony_data"]["provider_call_id"]: record for record in records}
    known = [(one, by_call[one.call_id]) for one in called if one.call_id in by_call]
    return {
        "lost_calls": sum(one.lost for one in called),
        "records_completed": sum(record["status"] == "completed" for _, record in known),
        "recordings_right": sum(_right(one, record, recordings) for one, record in known),
    }


def _right(called: Called, record: Record, recordings: Path) -> bool:
    files = list(recordings.rglob(f"{record['id']}*.wav"))
    if len(files) != 1 or not called.answered:
        return False
    with wave.open(str(files[0])) as file:
        seconds = file.getnframes() / file.getframerate()
    right = abs(seconds - (called.ended - called.answered)) <= LENGTH_S
    if not right:
        print(f"call {record['id']}: {seconds:.2f} s recorded of {called.ended - called.answered:.2f} s")
    return right
