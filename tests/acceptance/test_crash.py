"""Workers die while they dial, and nobody is dialled too often, lost, or left with a slot: `make crash-test`, short."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.crash.run import Plan, crash

pytestmark = pytest.mark.realtime


async def test_whatever_dies_everybody_is_dialled_as_often_as_configured(
    database_url: str, tmp_path: Path
) -> None:
    report = await crash(database_url, tmp_path, Plan(kills=40, seed=20))
    assert not report.violations, report.first_of_each()
    # It hit what it was to hit: dials whose workers died.
    assert any(row["state"] == "unknown" for row in report.history.attempts), report.sights()
