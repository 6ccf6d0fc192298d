"""How the benchmark asks a server: curl into a file, and a bare socket for the first byte."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from benchmarks.ledger.build import KEY
from benchmarks.ledger.data import AGENT
from benchmarks.ledger.programs import Server, program

LIST: Final = f"/agent/{AGENT}/executions"
PAGE: Final = f"/v2/agent/{AGENT}/executions"


def curl(server: Server, path: str, target: Path, coding: str = "", *options: str) -> Callable[[], object]:
    """Writes the answer to the file as it comes; with the option `--compressed` as it unfolds."""
    headers = ["-H", f"Authorization: Bearer {KEY}"]
    if coding:
        headers += ["-H", f"Accept-Encoding: {coding}"]
    url = f"http://127.0.0.1:{server.port}{path}"
    command = [
        program("curl"),
        "-sS",
        "--fail",
        "--max-time",
        "1800",
        "-o",
        str(target),
        *headers,
        *options,
        url,
    ]
    return lambda: subprocess.run(command, check=True)


def first_byte_ms(server: Server, path: str) -> float:
    """From the request on an open connection to the first byte after the head; then the client goes away."""
    with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
        connection.settimeout(600)
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {KEY}\r\n\r\n"
        start = time.perf_counter()
        connection.sendall(request.encode())
        answer = b""
        while not answer.partition(b"\r\n\r\n")[2]:
            got = connection.recv(65536)
            if not got:
                raise RuntimeError(f"{path} was answered with no body: {answer[:200]!r}")
            answer += got
        return (time.perf_counter() - start) * 1000


def get_json(server: Server, path: str) -> Any:
    """The answer. Raises RuntimeError when it is not 200."""
    status, body = get(server, path)
    if status != 200:
        raise RuntimeError(f"{path} was answered with {status}: {body[:300]!r}")
    return json.loads(body)


def get(server: Server, path: str) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=600)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {KEY}"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
