"""Metrics as a scrape sees them: at the API, of several processes at once, and on a port of a role's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ringback.app.api import scrape
from ringback.app.settings import MetricsSettings, Settings, SettingsError
from ringback.app.supervisor import SUPERVISED
from ringback.app.telemetry import catalogue
from ringback.app.telemetry.metrics_folder import METRICS_FOLDER, metrics_folder
from ringback.app.telemetry.opening import Watched, watched
from ringback.app.telemetry.prometheus import Prometheus
from ringback.app.telemetry.queue_figures import of_queue
from ringback.app.telemetry.telemetry import Telemetry
from ringback.executions.record import AttemptState
from tests.support.api import Api, Client, assert_refused

Values = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def values_in(text: str) -> Values:
    """By name and sorted labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float | None:
    return values_in(text).get((f"ringback_{name}", tuple(sorted(labels.items()))))


def metrics(**changes: Any) -> Settings:
    return Settings(metrics=MetricsSettings(**changes))


@asynccontextmanager
async def watching(api: Api, **changes: Any) -> AsyncIterator[tuple[Watched, Client, Client]]:
    """With a client that bears the account's key and one that bears none."""
    settings = metrics(**changes)
    async with watched(settings, "api") as opened:
        services = {"scrape": scrape(settings, opened), "request_times": opened.telemetry.request}
        async with api.with_services(**services) as client:
            nobody = replace(api, client=api.nobody)
            nobody.client.headers["authorization"] = ""
            async with nobody.with_services(**services) as stranger:
                yield opened, client, stranger


# At the API


async def test_a_scrape_needs_no_key(api: Api) -> None:
    async with watching(api) as (_, _, nobody):
        answer = await nobody.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")


async def test_it_may_need_a_token(api: Api) -> None:
    async with watching(api, token="geheim") as (_, client, nobody):
        for refused in (client, nobody):
            assert_refused(await refused.get("/metrics"), 401, "Access denied")
        for wrong in ("Bearer geheim2", "Bearer é", "Basic geheim", "geheim"):
            headers = {"Authorization": wrong.encode()}
            assert_refused(await nobody.get("/metrics", headers=headers), 401, "Access denied")  # type: ignore[arg-type]
        answer = await nobody.get("/metrics", headers={"Authorization": "Bearer geheim"})
        assert answer.status_code == 200
        assert "geheim" not in answer.text


async def test_it_can_be_turned_off(api: Api) -> None:
    async with watching(api, enabled=False) as (_, _, nobody):
        assert_refused(await nobody.get("/metrics"), 404, "Metrics are turned off (setting metrics.enabled)")


async def test_requests_are_counted_by_their_route(api: Api) -> None:
    agent_id = await api.agent()
    async with watching(api) as (_, client, nobody):
        await client.get(f"/v2/agent/{agent_id}")
        await client.get("/v2/agent/42")
        await nobody.get(f"/v2/agent/{agent_id}")
        await client.get(f"/secret/{agent_id}")
        await client.request("BREW", f"/v2/agent/{agent_id}")
        await client.post(f"/v2/agent/{agent_id}")
        text = (await nobody.get("/metrics")).text
    route = "/v2/agent/{agent_id}"
    counted = {
        (labels["method"], labels["route"], labels["status"]): count
        for (name, pairs), count in values_in(text).items()
        if name == "ringback_http_requests_total" and (labels := dict(pairs))
    }
    assert (
        counted.items()
        >= {
            ("GET", route, "200"): 1,
            ("GET", route, "400"): 1,
            ("GET", route, "401"): 1,
            ("GET", "(none)", "404"): 1,
        }.items()
    )
    assert {method for method, _, _ in counted} == {"GET", "POST", "other"}
    assert value(text, "http_request_seconds_count", method="GET", route=route) == 3
    assert agent_id not in text
    assert api.account not in text


async def test_how_many_calls_wait(api: Api) -> None:
    first, *_ = await api.executions(await api.agent(), 3)
    taken = {"state": AttemptState.CLAIMED}
    await api.ledger.update(api.account, first, attempt=taken)  # type: ignore[arg-type]
    api.clock.us += 60_000_000
    async with watching(api) as (opened, _, nobody):
        await of_queue(opened.telemetry, api.db, api.clock)()
        text = (await nobody.get("/metrics")).text
        assert (value(text, "queue_due"), value(text, "queue_oldest_seconds")) == (2, 62)
        async with api.db.transaction() as tx:
            await tx.execute("UPDATE attempts SET state = 'done'")
        await of_queue(opened.telemetry, api.db, api.clock)()
        text = (await nobody.get("/metrics")).text
        assert (value(text, "queue_due"), value(text, "queue_oldest_seconds")) == (0, 0)


async def test_a_dialled_call_is_counted_once_it_is_written(api: Api) -> None:
    from ringback.executions.ledger import Ledger
    from ringback.executions.lifecycle import IllegalTransition, Status

    prometheus = Prometheus()
    telemetry = Telemetry("worker-0", [prometheus])
    ledger = Ledger(api.db, api.clock, "http://ringback.test", telemetry.moved)
    [call] = await api.executions(await api.agent(), 1)
    await ledger.transition(api.account, call, Status.INITIATED)
    await ledger.transition(api.account, call, Status.BUSY)
    with pytest.raises(IllegalTransition):
        await ledger.transition(api.account, call, Status.COMPLETED)
    text = prometheus.text().decode()
    assert value(text, "calls_started_total") == 1
    assert value(text, "calls_ended_total", status="busy") == 1
    assert value(text, "calls_ended_total", status="completed") is None


# Several processes

PROCESS = """
import sys
from ringback.app.telemetry import catalogue
from ringback.app.telemetry.prometheus import Prometheus
from ringback.app.telemetry.telemetry import Telemetry

telemetry = Telemetry(sys.argv[1], [Prometheus()])
with telemetry.talking():
    telemetry.provider_failed("llm", "brain")
    telemetry.record(catalogue.TURN, 0.5, "total")
    print("told", flush=True)
    sys.stdin.read()
"""
SCRAPE = "from ringback.app.telemetry.prometheus import Prometheus; print(Prometheus().text().decode())"


def scraped(environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", SCRAPE]
    done = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout


@contextlib.contextmanager
def process(name: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS, name],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == "told\n"
            yield running
        finally:
            running.kill()


def test_one_scrape_sees_all_processes(tmp_path: Path) -> None:
    with metrics_folder(tmp_path) as environment:
        with process("worker-0", environment), process("worker-1", environment) as killed:
            text = scraped(environment)
            assert value(text, "calls_live", process="worker-0") == 1
            assert value(text, "calls_live", process="worker-1") == 1
            assert value(text, "provider_errors_total", component="llm", provider="brain") == 2
            assert value(text, "turn_seconds_sum", part="total") == 1
            killed.kill()
            killed.wait()
            text = scraped(environment)
            assert value(text, "calls_live", process="worker-0") == 1
            assert value(text, "calls_live", process="worker-1") is None, "its calls are gone"
            assert value(text, "provider_errors_total", component="llm", provider="brain") == 2
        folder = Path(environment[METRICS_FOLDER])
        assert folder.is_dir()
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


def test_a_process_that_dies_again_and_again_does_not_fill_the_memory(tmp_path: Path) -> None:
    most = 4_194_304  # of process ids, on Linux
    for number in range(60):
        for kind in ("counter", "histogram", "gauge_livemostrecent"):
            file = tmp_path / f"{kind}_{most + number}.db"
            file.touch()
            os.utime(file, (number, number))
    alive = tmp_path / f"counter_{os.getpid()}.db"
    alive.touch()
    os.utime(alive, (0, 0))
    made = {file.name for file in tmp_path.glob("*.db")}
    start = [sys.executable, "-c", "from ringback.app.telemetry.prometheus import Prometheus; Prometheus()"]
    subprocess.run(start, env=os.environ | {METRICS_FOLDER: str(tmp_path)}, timeout=30, check=True)
    left = {file.name for file in tmp_path.glob("*.db")} & made
    kept = range(most + 10, most + 60)
    expected = {f"{kind}_{pid}.db" for kind in ("counter", "histogram") for pid in kept}
    assert left == expected | {alive.name}


def test_the_folder_lies_in_memory_if_it_can(tmp_path: Path) -> None:
    memory, data = tmp_path / "memory", tmp_path / "data"
    memory.mkdir()
    data.mkdir()
    with metrics_folder(data, memory) as environment:
        assert Path(environment[METRICS_FOLDER]).parent == memory
    with metrics_folder(data, tmp_path / "missing") as environment:
        assert environment == {METRICS_FOLDER: str(data / "metrics")}
        (data / "metrics" / "counter_1.db").touch()
    (data / "metrics").mkdir()
    (data / "metrics" / "left").touch()
    with metrics_folder(data, tmp_path / "missing"):
        assert not (data / "metrics" / "left").exists()


def test_without_any_folder_each_process_is_on_its_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with metrics_folder(tmp_path / "missing", tmp_path / "missing") as environment:
        assert environment == {}
    assert "keeps its metrics to itself" in caplog.text


def test_what_a_killed_supervisor_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    memory, data = tmp_path / "memory", tmp_path / "data"
    memory.mkdir()
    data.mkdir()
    left = memory / "ringback-metrics-left"
    left.mkdir()
    (left / "lock").write_text("123")
    new = memory / "ringback-metrics-new"
    new.mkdir()
    (new / "lock").touch()
    with metrics_folder(data, memory) as first:
        assert not left.exists()
        with metrics_folder(data, memory) as second:
            assert Path(first[METRICS_FOLDER]).is_dir(), "the other one is at work"
            assert first != second
        assert Path(first[METRICS_FOLDER]).is_dir()
    assert new.is_dir()


# A role that was started alone


def free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def test_a_worker_alone_has_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SUPERVISED, raising=False)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url) as client:
        async with watched(metrics(port=port, token="geheim"), "worker-0") as opened:
            opened.telemetry.record(catalogue.TICKS_SKIPPED, 3, "worker-0")
            client.headers["authorization"] = "Bearer geheim"
            answer = await client.get("/metrics")
            assert answer.headers["content-type"].startswith("text/plain")
            assert value(answer.text, "ticks_skipped_total", process="worker-0") == 3
            assert (await client.get("/")).status_code == 404
            assert (await client.get("/metrics", headers={"authorization": "Bearer x"})).status_code == 401
        with pytest.raises(httpx.ConnectError):
            await client.get("/metrics")


async def test_a_client_that_says_nothing_does_not_hold_up_the_next_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ringback.app.telemetry.port._Handler.timeout", 0.1)
    port = free_port()
    async with watched(metrics(port=port), "speech"):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        async with httpx.AsyncClient(timeout=10) as client:
            assert (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code == 200
        writer.close()


@pytest.mark.parametrize(("name", "supervised"), [("worker-0", "1"), ("api", "0")])
async def test_who_has_the_api_beside_it_has_no_port(
    name: str, supervised: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SUPERVISED, supervised)
    port = free_port()
    async with watched(metrics(port=port), name), httpx.AsyncClient() as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/metrics")


async def test_a_port_that_is_taken_is_said_in_one_sentence() -> None:
    port = free_port()
    async with watched(metrics(port=port), "worker-0"):
        with pytest.raises(SettingsError, match=f"Metrics cannot be served on 127.0.0.1:{port}: Address"):
            async with watched(metrics(port=port), "worker-1"):
                pass
