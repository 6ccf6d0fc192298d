"""Programs that the benchmark runs beside the product, and processes of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

_PACKAGES: Final = {"sqlite3": "sqlite3", "psql": "postgresql-client", "curl": "curl", "nginx": "nginx-light"}
_START_S: Final = 60.0
_STOP_S: Final = 30.0


class Missing(Exception):
    """A program is not installed; the message says which package has it."""


def program(name: str) -> str:
    """Its path. Raises Missing."""
    # Debian keeps servers where an ordinary user's PATH does not look.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise Missing(f"{name} is not installed; Debian: apt install {_PACKAGES[name]}")
    return found


def postgresql_binaries() -> Path:
    """The folder of the newest server's programs. Raises Missing."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(versions[-1]) if versions else shutil.which("initdb")
    if found is None:
        raise Missing("a PostgreSQL server (initdb) is not installed; Debian: apt install postgresql")
    return Path(found).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class Server:
    """A server process of ours, from when it answers until `stop`."""

    idle_mb = 0.0
    """Resident when it had nothing to do, for whoever measures growth."""

    def __init__(
        self, name: str, command: Sequence[str], port: int, folder: Path, env: Mapping[str, str] | None = None
    ) -> None:
        """Started in `folder`, where its output goes too. Raises RuntimeError when it does not come up."""
        self.port = port
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._wait(name)

    def rss_mb(self) -> float:
        return sum(_status_kb(pid, "VmRSS") for pid in self._family()) / 1024

    def reset_peak(self) -> None:
        for pid in self._family():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_mb(self) -> float:
        """The most that it had resident since `reset_peak`, its children's added."""
        return sum(_status_kb(pid, "VmHWM") for pid in self._family()) / 1024

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _wait(self, name: str) -> None:
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self._process.poll() is None:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=_START_S)
            try:
                connection.request("GET", "/nothing")
                connection.getresponse()
            except OSError:
                time.sleep(0.05)
            else:
                return
            finally:
                connection.close()
        self.stop()
        raise RuntimeError(f"{name} did not start:\n{self._log.read_text(errors='replace')[-2000:]}")

    def _family(self) -> list[int]:
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]


def _status_kb(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0
