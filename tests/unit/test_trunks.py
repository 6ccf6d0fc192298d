"""Trunks and numbers as values: what is refused, how numbers are compared and dialled, what is a key."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.trunks.gateway import Gateway, by_priority, host_problem, network
from ringback.trunks.number import BadNumber, checked, digits_of
from ringback.trunks.secrecy import Secrecy, SecrecyError
from ringback.trunks.trunk import BadTrunk, TrunkFields


def fields(**changes: object) -> TrunkFields:
    given: dict[str, object] = {
        "name": "carrier",
        "provider": "sipp",
        "auth_type": "userpass",
        "auth_username": "joe",
        "auth_password": "open sesame",
        "gateways": (Gateway("sip.example.com"),),
    }
    return TrunkFields(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("plus", "number", "dialled"),
    [
        (True, "+4930123456", "+4930123456"),
        (False, "+4930123456", "4930123456"),
        (True, "4930123456", "+4930123456"),
        (True, "front-desk", "front-desk"),
    ],
)
def test_the_leading_plus_is_as_the_carrier_wants_it(plus: bool, number: str, dialled: str) -> None:
    assert fields(outbound_leading_plus_enabled=plus).dialled(number) == dialled


def test_a_password_stands_in_no_representation() -> None:
    assert "open sesame" not in repr(fields())


@pytest.mark.parametrize(
    "host", ["sip.example.com", "192.0.2.7", "[2001:db8::1]", "2001:db8::1", "localhost", "a_b.c."]
)
def test_hosts(host: str) -> None:
    assert host_problem(host) is None


@pytest.mark.parametrize(
    "host", ["", " ", "sip.example.com:5060", "a..b", "1.2.3", "sip:x", "a@b", "x" * 64 + ".com"]
)
def test_no_hosts(host: str) -> None:
    assert host_problem(host) is not None


@pytest.mark.parametrize("text", ["203.0.113.7", "203.0.113.7/28", "2001:db8::/32", " 203.0.113.0/24 "])
def test_networks(text: str) -> None:
    assert network(text).version in (4, 6)


@pytest.mark.parametrize("text", ["", "0.0.0.0/0", "::/0", "10.0.0.0/7", "example.com", "203.0.113.7/33"])
def test_no_networks(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        network(text)


def test_every_problem_is_told() -> None:
    bad = fields(name=" ", gateways=(Gateway("a b", 0),), auth_password="", allow="g729", qualify_frequency=2)
    with pytest.raises(BadTrunk) as caught:
        bad.checked()
    assert {problem.path for problem in caught.value.problems} == {
        "name",
        "auth_password",
        "gateways[0].gateway_address",
        "gateways[0].port",
        "allow",
        "qualify_frequency",
    }


def test_gateways_of_one_priority_keep_their_order() -> None:
    gateways = [Gateway("a", priority=2), Gateway("b"), Gateway("c"), Gateway("d", priority=0)]
    assert [gateway.address for gateway in by_priority(gateways)] == ["d", "b", "c", "a"]


@given(st.from_regex(r"[0-9]{1,32}", fullmatch=True))
def test_a_plus_makes_no_difference(digits: str) -> None:
    assert digits_of(f"+{digits}") == digits_of(digits) == digits
    assert checked(f"+{digits}", e164=False) == f"+{digits}"


@pytest.mark.parametrize("number", ["", "+", "call me", "0049 30", "++49", "4" * 33, "４９", "+49\n"])
def test_no_numbers(number: str) -> None:
    with pytest.raises(BadNumber):
        checked(number, e164=False)


@pytest.mark.parametrize("number", ["4930123456", "+0930123456", "+4", "+" + "4" * 16])
def test_not_e164(number: str) -> None:
    with pytest.raises(BadNumber):
        checked(number, e164=True)


def key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_was_sealed_can_be_opened(secret: str) -> None:
    secrecy = Secrecy.of_key("nCJFVfEDl3oT2Zs2tVWSrn8BBz9d3+ZVn7Z/LkuC8GE=")
    sealed = secrecy.seal(secret)
    assert secrecy.open(sealed, "trunk 1") == secret
    assert not secret or len(secret) < 4 or secret not in sealed


def test_another_key_says_so() -> None:
    sealed = Secrecy.of_key(key()).seal("open sesame")
    with pytest.raises(
        SecrecyError, match=r"trunk 1 was encrypted with another key than that of RINGBACK_SECRET_KEY"
    ):
        Secrecy.of_key(key()).open(sealed, "trunk 1")


def test_keys_change_one_after_the_other() -> None:
    old, new = key(), key()
    sealed = Secrecy.of_key(old).seal("open sesame")
    both = Secrecy.of_key(f"{new}, {old}")
    assert both.open(sealed, "trunk 1") == "open sesame"
    assert Secrecy.of_key(new).open(both.seal("open sesame"), "trunk 1") == "open sesame"


@pytest.mark.parametrize("text", ["", "open sesame", base64.b64encode(b"short").decode(), "é" * 44])
def test_no_keys(text: str) -> None:
    with pytest.raises(SecrecyError, match="openssl rand -base64 32"):
        Secrecy.of_key(text or "x")


def test_the_folders_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    sealed = Secrecy.of_folder(tmp_path / "data").seal("open sesame")
    path = tmp_path / "data" / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Secrecy.of_folder(tmp_path / "data").open(sealed, "trunk 1") == "open sesame"
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]
    path.write_text("nonsense")
    with pytest.raises(SecrecyError, match=r"secret\.key holds no key"):
        Secrecy.of_folder(tmp_path / "data")
