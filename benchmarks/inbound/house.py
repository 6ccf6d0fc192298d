"""`ringback serve` with one worker, an agent behind a number, and a client of its API."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from benchmarks.density import scene
from ringback.app.serve import prepare, with_free_port
from ringback.app.settings import Settings
from ringback.demo.run import foreign_environment, free_udp_port

NUMBER: Final = "+15550100100"
_STOP_S: Final = 180.0
_PAGE: Final = 50
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class House:
    client: httpx.Client
    data: Path
    environment: dict[str, str]
    sip_port: int

    def ask(self, method: str, path: str, **request: Any) -> Any:
        answer = self.client.request(method, path, **request)
        if not answer.is_success:
            raise SystemExit(f"{method} {path} answered {answer.status_code}: {answer.text}")
        return answer.json()

    def open_line(self) -> str:
        """The id of an agent that answers at NUMBER."""
        agent_id: str = self.ask("POST", "/v2/agent", json=_agent())["agent_id"]
        bought = self.ask("POST", "/phone-numbers/buy", json={"country": "US", "phone_number": NUMBER})
        self.ask("POST", "/inbound/setup", json={"agent_id": agent_id, "phone_number_id": bought["id"]})
        return agent_id

    def records(self, agent_id: str) -> list[Record]:
        found: list[Record] = []
        while True:
            page = {"page_number": len(found) // _PAGE + 1, "page_size": _PAGE}
            listed = self.ask("GET", f"/v2/agent/{agent_id}/executions", params=page)
            found += listed["data"]
            if not listed["has_more"]:
                return found

    def worker_pid(self) -> int:
        told = subprocess.run(
            [sys.executable, "-m", "ringback", "status", "--json"],
            env=self.environment,
            capture_output=True,
            check=True,
        )
        [worker] = json.loads(told.stdout)["workers"]
        pid: int = worker["pid"]
        return pid


@contextmanager
def house(folder: Path, calls: int, core: int, speech: str, database_url: str) -> Iterator[House]:
    """Running on that core within the block; what it writes stands in `folder/serve.txt`."""
    import asyncio

    data, sip_port = folder / "data", free_udp_port()
    settings = with_free_port(Settings(data=data, port=0, database_url=database_url))
    key = asyncio.run(prepare(settings))
    own = {
        "CONFIG": "",
        "DATA": str(data),
        "DATABASE_URL": database_url,
        "PORT": str(settings.port),
        "SIP__PORT": str(sip_port),
        "TRUNK__HOST": "127.0.0.1",
        "TRUNK__POOL": json.dumps([NUMBER]),
        "CALLS_PER_WORKER": str(calls),
        "SPEECH__TRANSCRIBER_URI": speech,
        "SPEECH__SYNTHESIZER_URI": speech,
        "RATE_LIMITS__OTHER_PER_MINUTE": "0",
    }
    environment = foreign_environment() | {f"RINGBACK_{name}": value for name, value in own.items()}
    with (folder / "serve.txt").open("wb") as output:
        serve = subprocess.Popen(
            [sys.executable, "-m", "ringback", "serve"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        assert serve.stdout is not None
        try:
            if not serve.stdout.readline():
                raise SystemExit((folder / "serve.txt").read_text())
            headers = {"Authorization": f"Bearer {key}"}
            with httpx.Client(base_url=settings.base_url, headers=headers, timeout=30) as client:
                yield House(client, data, environment, sip_port)
        finally:
            serve.terminate()
            serve.wait(_STOP_S)


def _agent() -> Record:
    """It says the same to whatever it hears, and never ends a call."""
    graph = {
        "provider": "scripted",
        "current_node_id": "again",
        "nodes": [
            {
                "id": "again",
                "node_type": "static",
                "static_message": scene.REPLY,
                "edges": [
                    {
                        "to_node_id": "again",
                        "condition_type": "match",
                        "match": {"type": "keywords", "any": ["thank"]},
                    },
                ],
            }
        ],
    }
    local = {"provider": "wyoming", "language": "en"}
    task = {
        "task_type": "conversation",
        "toolchain": {"execution": "parallel", "pipelines": [["transcriber", "llm", "synthesizer"]]},
        "tools_config": {
            "llm_agent": {"agent_type": "graph_agent", "llm_config": graph},
            "transcriber": local,
            "synthesizer": {"provider": "wyoming", "provider_config": {"voice": "default"}},
        },
        "task_config": {
            "hangup_after_silence": 3600,
            "call_terminate": 3600,
            "check_if_user_online": False,
        },
    }
    config = {"agent_name": "Soak", "agent_welcome_message": scene.WELCOME, "tasks": [task]}
    return {"agent_config": config, "agent_prompts": {"task_1": {"system_prompt": "You answer."}}}
