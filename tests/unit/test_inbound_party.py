"""Who calls and who was called: carriers write it in many ways."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from ringback.inbound.party import number_in, parties_of


@dataclass(frozen=True)
class Invite:
    caller: str = "sip:+14155550123@carrier.example"
    called: str = "sip:+14155550100@192.0.2.1"
    callee: str = "sip:+14155550100@192.0.2.1"
    headers: dict[str, str] = field(default_factory=dict)

    def header(self, name: str) -> str | None:
        return self.headers.get(name)


@pytest.mark.parametrize(
    ("uri", "number"),
    [
        ("sip:+14155550123@carrier.example", "+14155550123"),
        ("sip:14155550123@carrier.example;user=phone", "14155550123"),
        ("sips:+1-(415)-555.0123@carrier.example", "+14155550123"),
        ("sip:%2B14155550123@carrier.example", "+14155550123"),
        ("sip:+14155550123;phone-context=example.com@carrier.example", "+14155550123"),
        ("sip:0301234:secret@carrier.example", "0301234"),
        ("tel:+1-415-555-0123;ext=5", "+14155550123"),
        ('"Ann" <sip:+14155550123@carrier.example>;tag=1', "+14155550123"),
        ("sip:anonymous@anonymous.invalid", None),
        ("sip:carrier.example", None),
        ("sip:@carrier.example", None),
        ("sip:+@carrier.example", None),
        ("mailto:+14155550123@carrier.example", None),
        (f"sip:{'1' * 33}@carrier.example", None),
        ("", None),
        (None, None),
    ],
)
def test_a_number_is_found_in_a_uri(uri: str | None, number: str | None) -> None:
    assert number_in(uri) == number


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("+4930123456", "+4930123456"),
        ("14155550123", "+14155550123"),
        ("4155550123", "4155550123"),
        ("004930123456", "004930123456"),
        ("+1", "+1"),
    ],
)
def test_a_caller_is_shown_in_full_where_the_country_is_surely_told(written: str, shown: str) -> None:
    assert parties_of(Invite(caller=f"sip:{written}@carrier.example")).caller == shown


def test_what_the_carrier_vouches_for_comes_first() -> None:
    invite = Invite(headers={"P-Asserted-Identity": '"Ann" <tel:+4930123456>'})
    assert parties_of(invite).caller == "+4930123456"


@pytest.mark.parametrize("privacy", ["id", "user;id", "header; id", "USER"])
def test_a_number_that_is_to_stay_private_does(privacy: str) -> None:
    invite = Invite(headers={"P-Asserted-Identity": "<tel:+4930123456>", "Privacy": privacy})
    assert parties_of(invite).caller is None


def test_privacy_none_hides_nothing() -> None:
    assert parties_of(Invite(headers={"Privacy": "none"})).caller == "+14155550123"


def test_a_registered_line_is_called_by_its_name_and_the_number_stands_elsewhere() -> None:
    invite = Invite(called="sip:ringback@192.0.2.1:5080", callee="sip:+14155550100@carrier.example")
    assert parties_of(invite).called == ("+14155550100",)
    further = Invite(called=invite.called, headers={"P-Called-Party-ID": "<sip:+4930123456@carrier.example>"})
    assert parties_of(further).called == ("+4930123456", "+14155550100")


def test_the_number_that_was_asked_for_comes_before_the_one_that_was_dialled() -> None:
    forwarded = Invite(callee="sip:+14155550777@carrier.example")
    assert parties_of(forwarded).called == ("+14155550100", "+14155550777")
