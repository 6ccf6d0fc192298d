"""What serves the same executions: the product's api process, the ORM's, and nginx with a file."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.ledger import programs
from benchmarks.ledger.data import ACCOUNT
from benchmarks.ledger.programs import Server, free_port

_ROOT = Path(__file__).parents[2]


def api(url: str, folder: Path, program: Sequence[str] = ("-m", "ringback", "api")) -> Server:
    """The real role, in a folder of its own; without rate limits, which would end the measurement."""
    port = free_port()
    env = {
        "RINGBACK_DATA": str(folder),
        "RINGBACK_DATABASE_URL": url,
        "RINGBACK_PORT": str(port),
        "RINGBACK_LOG_LEVEL": "warning",
        "RINGBACK_RATE_LIMITS__NAMED_PER_MINUTE": "0",
        "RINGBACK_RATE_LIMITS__OTHER_PER_MINUTE": "0",
        "PYTHONPATH": str(_ROOT),
    }
    return Server("api", [sys.executable, *program], port, folder, env)


def orm(url: str, folder: Path) -> Server:
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.ledger.orm_api:app", "--port", str(port)]
    env = {"LEDGER_URL": url, "LEDGER_ACCOUNT": ACCOUNT, "PYTHONPATH": str(_ROOT)}
    return Server("orm", [*command, "--log-level", "warning", "--no-access-log"], port, folder, env)


def nginx(file: Path, folder: Path) -> Server:
    """Serves the file at `/<its name>`, straight from the page cache."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(
        f"""
        daemon off;
        user {getpass.getuser()};
        worker_processes 1;
        pid {folder}/nginx.pid;
        error_log {folder}/nginx-error.log;
        events {{ }}
        http {{
          access_log off;
          sendfile on;
          tcp_nopush on;
          default_type application/json;
          client_body_temp_path {folder}/body;
          proxy_temp_path {folder}/proxy;
          fastcgi_temp_path {folder}/fastcgi;
          uwsgi_temp_path {folder}/uwsgi;
          scgi_temp_path {folder}/scgi;
          server {{ listen 127.0.0.1:{port}; root {file.parent}; }}
        }}
        """
    )
    return Server("nginx", [programs.program("nginx"), "-p", str(folder), "-c", str(config)], port, folder)
