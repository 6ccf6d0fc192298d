"""Where a number lies, and who says so."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from ringback.dialing.zones import BY_CLIENT, BY_NUMBER, BY_SETTING, zones_of

UNKNOWN = ZoneInfo("Europe/Berlin")


def found(number: str, user_timezone: object = None) -> tuple[list[str], str]:
    zones, how = zones_of(number, user_timezone, UNKNOWN)
    return [str(zone) for zone in zones], how


@pytest.mark.parametrize(
    ("number", "zone"),
    [
        ("+14155550123", "America/Los_Angeles"),
        ("+12125550123", "America/New_York"),
        ("+919876543210", "Asia/Calcutta"),
        ("+5511987654321", "America/Sao_Paulo"),
        ("+81312345678", "Asia/Tokyo"),
    ],
)
def test_a_number_of_one_zone(number: str, zone: str) -> None:
    assert found(number) == ([zone], BY_NUMBER)


@pytest.mark.parametrize(
    ("number", "some"),
    [
        ("+79161234567", {"Europe/Moscow", "Asia/Kamchatka"}),
        ("+61412345678", {"Australia/Sydney", "Australia/Perth"}),
        ("+18005550123", {"America/New_York", "Pacific/Honolulu"}),
    ],
)
def test_a_number_of_many(number: str, some: set[str]) -> None:
    zones, how = found(number)
    assert some <= set(zones)
    assert how == BY_NUMBER


@pytest.mark.parametrize(
    "number",
    ["+882161234567", "+15555555555", "+4412", "+1", "+999123", "+12345678901234567890", "", "anonymous"],
)
def test_a_number_of_nowhere(number: str) -> None:
    assert found(number) == (["Europe/Berlin"], BY_SETTING)


def test_the_client_knows_better() -> None:
    assert found("+14155550123", "Asia/Kolkata") == (["Asia/Kolkata"], BY_CLIENT)
    assert found("anonymous", "Asia/Kolkata") == (["Asia/Kolkata"], BY_CLIENT)


@pytest.mark.parametrize(
    "nonsense",
    [
        None,
        5,
        5.5,
        True,
        [],
        {},
        "",
        ".",
        "/",
        "..",
        "\0",
        "\ud800",
        "+05:30",
        "x" * 300,
        "a/" * 40_000,
        "America",
        "Mars/Olympus",
        "../../etc/passwd",
        "/etc/localtime",
    ],
)
def test_what_is_no_zone_is_not_believed(nonsense: object) -> None:
    assert found("+14155550123", nonsense) == (["America/Los_Angeles"], BY_NUMBER)
