"""Fixtures of simulations."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest) -> Path:
    """An empty database of SQLite with the newest tables, to be copied."""
    path: Path = request.getfixturevalue("_sqlite_template")
    return path
