"""The files of deploy/ name settings and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest
from click import Group
from typer.main import get_command

from ringback.app.settings import Settings
from ringback.cli.main import app
from ringback.cli.settings import documented

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_setting_is_one(path: Path) -> None:
    known = {name for name, _ in documented(Settings)}
    assert set(re.findall(r"RINGBACK_[A-Z0-9_]+", path.read_text())) <= known


def test_every_command_is_one() -> None:
    known = set(cast(Group, get_command(app)).commands)
    started = set(re.findall(r"^    command: \[(\w+)", (DEPLOY / "compose.yaml").read_text(), re.MULTILINE))
    units = "\n".join(path.read_text() for path in DEPLOY.glob("systemd/*.service"))
    started |= set(re.findall(r"ExecStart=\S+/ringback (\w+)", units))
    assert started == {"serve", "migrate", "api", "speech", "worker"}
    assert started <= known
