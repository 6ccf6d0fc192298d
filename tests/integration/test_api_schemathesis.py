"""Requests made from a description, ours and the vendor's: every answer is one that it describes.

The vendor's is changed by the one list of deviations, in tests/support/vendor_description.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.description import closed, described
from tests.support.schemathesis_world import Requests, World, labels
from tests.support.vendor_description import vendor

OURS, VENDORS = described(), vendor()


@pytest.fixture(scope="module")
def ours() -> Requests:
    """No object of an answer may have a key that is not described."""
    return Requests(closed(OURS))


@pytest.fixture(scope="module")
def vendors() -> Requests:
    return Requests(VENDORS)


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    with World(database_url, tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("label", labels(OURS))
def test_answers_are_as_we_describe_them(ours: Requests, label: str, world: World) -> None:
    ours.check(label, world.check, random=10, boundaries=120)
    assert world.seen & {200, 201, 202}


@pytest.mark.parametrize("label", labels(VENDORS))
def test_answers_are_as_the_vendor_describes_them(vendors: Requests, label: str, world: World) -> None:
    vendors.check(label, world.check, random=10, boundaries=120)
    assert world.seen & {200, 201}
