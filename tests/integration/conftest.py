"""Fixtures of tests against the whole application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ringback.store.database import Database
from tests.support.api import Api, open_api


@pytest.fixture
async def api(database: Database, tmp_path: Path) -> AsyncIterator[Api]:
    """The HTTP application on each database, with two accounts."""
    async with open_api(database, tmp_path) as opened:
        yield opened
