"""Marks for tests that need something of the machine: without it they skip and say what is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import Final

import pytest

_DEBIAN_PACKAGES: Final = {
    "sipp": "sip-tester",
    "baresip": "baresip-core",
    "kamailio": "kamailio",
    "postgres": "postgresql",
    "unshare": "util-linux",
}


def needs(program: str) -> pytest.MarkDecorator:
    """Skip with a clear reason unless the program is installed."""
    return pytest.mark.skipif(
        _path(program) is None,
        reason=f"{program} is not installed (Debian package {_DEBIAN_PACKAGES[program]})",
    )


def needs_raw_sockets() -> pytest.MarkDecorator:
    """Skip unless we are root: what sends captured packets writes to raw sockets."""
    return pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets need root")


def needs_network_namespace() -> pytest.MarkDecorator:
    """Skip unless a network namespace of our own can be made."""
    return pytest.mark.skipif(
        not _may_unshare(), reason="making a network namespace (unshare -n) is not permitted here"
    )


def _path(program: str) -> str | None:
    if program == "postgres":  # Debian keeps the server's programs out of the path
        versions = sorted(f"/usr/lib/postgresql/{name}/bin" for name in _listed("/usr/lib/postgresql"))
        return shutil.which(program, path=os.pathsep.join([*versions, os.environ.get("PATH", "")]))
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))


def _listed(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _may_unshare() -> bool:
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(["unshare", "-n", "true"], capture_output=True, timeout=10, check=False)
    return tried.returncode == 0
