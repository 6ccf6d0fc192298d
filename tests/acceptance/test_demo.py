"""The README's first command: a real call between an agent and a simulated person, and everything true of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.description import described_as
from tests.support.records import SEED_LIST_SCHEMA

pytestmark = pytest.mark.realtime


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `ringback demo` saw; it is run once."""
    path = tmp_path_factory.mktemp("demo") / "report.json"
    finished = subprocess.run(
        [sys.executable, "-m", "ringback", "demo", "--report", str(path)],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"COLUMNS": "200"},
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    seen: dict[str, Any] = json.loads(path.read_text())
    return seen | {"output": finished.stdout}


@pytest.mark.parametrize(
    "name",
    [
        "the call is in the list",
        "it completed",
        "words of the person",
        "slots",
        "lengths agree",
        "after the interruption",
        "cost is the sum of its parts",
    ],
)
def test_what_must_be_true_of_the_call(report: dict[str, Any], name: str) -> None:
    [check] = [check for check in report["checks"] if check["name"] == name]
    assert check["passed"], check["seen"]


def test_the_list_has_the_shape_of_the_contract(report: dict[str, Any]) -> None:
    jsonschema.validate(report["listed"], SEED_LIST_SCHEMA)
    assert len(report["listed"]) == 1


def test_the_record_and_its_log_are_as_they_are_described(report: dict[str, Any]) -> None:
    """To the last key, also where a worker writes them."""
    described_as("ExecutionV1", report["listed"][0])
    for line in report["log"]:
        described_as("LogLine", line)


def test_every_turn_is_answered_and_its_latency_shown(report: dict[str, Any]) -> None:
    turns = report["listed"][0]["latency_data"]["turns"]
    answered = [event for event in report["person"] if event["event"] == "said"]
    assert len(turns) == len(answered) == 5
    for turn in turns:
        assert f"answered {turn['total']} ms after" in report["output"]


def test_the_call_was_interrupted_once_and_the_transcript_keeps_what_was_heard(
    report: dict[str, Any],
) -> None:
    turns = [json.loads(row["data"]) for row in report["log"] if row["data"].startswith('{"role"')]
    [cut] = [turn for turn in turns if turn["interrupted"]]
    assert "insurance card, a list of your medicines" not in cut["text"]
    assert f"assistant: {cut['text']} —\n" in report["listed"][0]["transcript"]


def test_the_recording_and_how_to_go_on_are_named(report: dict[str, Any]) -> None:
    [line] = [line for line in report["output"].splitlines() if line.startswith("The recording")]
    assert Path(line.partition(": ")[2].strip()).is_file()
    assert "ringback serve" in report["output"]
