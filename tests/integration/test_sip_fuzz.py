"""Strangers' messages at a live endpoint, in a network namespace that has only loopback."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.needs import needs_network_namespace
from tests.support.sip_fuzz import CANARY


@needs_network_namespace()
@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("seed", [1, 2])
def test_an_endpoint_survives_five_thousand_damaged_messages(seed: int, transport: str) -> None:
    command = ["unshare", "-n", sys.executable, "-m", "tests.support.sip_fuzz", str(seed), "5000", transport]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    assert result["faults"] == []
    left = result["left"]
    assert (left["calls"], left["transactions"]) == (0, 0)
    assert left["connections"] in (0, 2)
    assert left["files"] <= left["connections"]
    assert result["memory_mb"] < 200
    assert result["options"] is True
    assert result["heard_hertz"] == pytest.approx(440, abs=5)
    assert result["ended"] == "hung-up"
    assert CANARY not in run.stdout + run.stderr
