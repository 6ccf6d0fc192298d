"""Registering with a carrier, in virtual time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ringback.telephony.sip.auth import Credentials
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Request
from ringback.telephony.sip.registration import Registered, Registrar, Registration, Unregistered
from tests.support.sip_world import PEER, World, answer

CHALLENGE = 'Digest realm="ringback.example", nonce="n1", qop="auth"'
OTHER = Hop("192.0.2.8", 5060)


def registrar(hop: Hop = PEER) -> Registrar:
    return Registrar(hop, hop.host, None, "joe", Credentials("joe", "open sesame"))


class Office:
    """One registration in a world of its own."""

    def __init__(self, registrars: Sequence[Registrar] = (registrar(),)) -> None:
        self.world = World()
        self.told: list[Registered | Unregistered] = []
        self.registration = Registration(self.world.agent, registrars, self.told.append, jitter=lambda: 0.0)
        self.registration.start()

    def asked(self) -> Request:
        return self.world.sent_request("REGISTER")

    def answered(self, request: Request, status: int, **fields: str) -> None:
        self.world.receive(answer(request, status, **fields))

    def taken(self, request: Request, expires: int) -> None:
        response = request.response(200, "registrar")
        response.headers.add("Contact", "<sip:else@192.0.2.77>;expires=9999")
        response.headers.add("Contact", f"{request.headers.get('Contact')};expires={expires}")
        self.world.receive(response)


def test_what_a_register_says() -> None:
    office = Office()
    request = office.asked()
    assert (request.uri, request.headers.get("Expires")) == ("sip:192.0.2.9", "300")
    assert request.headers.all("Contact") == ["<sip:joe@192.0.2.1:5060>"]
    assert str(request.to) == "<sip:joe@192.0.2.9>"
    assert request.from_.uri == "sip:joe@192.0.2.9"


def test_it_is_renewed_with_the_challenge_it_knows() -> None:
    office = Office()
    first = office.asked()
    office.answered(first, 401, WWW_Authenticate=CHALLENGE)
    second = office.asked()
    assert 'response="' in (second.headers.get("Authorization") or "")
    office.taken(second, 60)
    assert office.told == [Registered(60, "192.0.2.1:5060")]
    office.world.advance(29.9)
    assert office.world.summaries() == []
    office.world.advance(0.2)
    third = office.asked()
    assert (third.call_id, third.cseq.number) == (first.call_id, first.cseq.number + 2)
    assert "nc=00000002" in (third.headers.get("Authorization") or "")


def test_it_asks_for_as_long_as_the_registrar_wants() -> None:
    office = Office()
    office.answered(office.asked(), 423, Min_Expires="1800")
    again = office.asked()
    assert again.headers.get("Expires") == "1800"
    office.answered(again, 200)  # lists nothing: what was asked for holds
    assert office.told == [Registered(1800, "192.0.2.1:5060")]


@pytest.mark.parametrize("least", ["", "soon", "60", "999999999"])
def test_a_senseless_423_is_a_refusal(least: str) -> None:
    office = Office()
    office.answered(office.asked(), 423, Min_Expires=least)
    assert office.world.summaries() == []
    [told] = office.told
    assert isinstance(told, Unregistered)
    assert told.code == 423


def test_a_wrong_password_is_not_tried_at_once_again() -> None:
    office = Office()
    office.answered(office.asked(), 401, WWW_Authenticate=CHALLENGE)
    office.answered(office.asked(), 401, WWW_Authenticate=CHALLENGE.replace("n1", "n2"))
    assert office.told == [Unregistered("the registrar does not take the user name and password", 401, 60.0)]
    office.world.advance(59.9)
    assert office.world.summaries() == []
    office.world.advance(0.2)
    assert office.world.summaries() == ["REGISTER"]


def test_failures_are_tried_ever_later_and_success_forgets_them() -> None:
    office = Office()
    waits = []
    for _ in range(8):
        office.answered(office.asked(), 503)
        told = office.told[-1]
        assert isinstance(told, Unregistered)
        waits.append(told.seconds)
        office.world.advance(told.seconds + 0.1)
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300]
    office.taken(office.asked(), 600)
    office.world.advance(300)
    office.answered(office.asked(), 500, Retry_After="77")
    told = office.told[-1]
    assert isinstance(told, Unregistered)
    assert told.seconds == 77


def test_no_answer_goes_to_the_next_registrar() -> None:
    office = Office([registrar(), registrar(OTHER)])
    first = office.asked()
    office.world.advance(32.1)
    assert {sent.to for sent in office.world.take()} == {PEER}
    assert office.told == [Unregistered("the registrar does not answer", None, 1.0)]
    office.world.advance(1)
    [sent] = office.world.take()
    assert isinstance(sent.message, Request)
    assert (sent.to, sent.message.uri) == (OTHER, "sip:192.0.2.8")
    assert sent.message.call_id != first.call_id
    office.taken(sent.message, 100)
    assert office.told[-1] == Registered(100, "192.0.2.1:5060")


def test_a_stop_lets_the_registrar_forget_us() -> None:
    office = Office()
    office.taken(office.asked(), 60)
    office.registration.stop()
    last = office.asked()
    assert (last.headers.get("Expires"), last.headers.get("Contact")) == ("0", "<sip:joe@192.0.2.1:5060>")
    office.answered(last, 200)
    office.world.advance(1000)
    assert office.world.summaries() == []
    assert len(office.told) == 1


def test_a_stop_before_any_answer_says_nothing_more() -> None:
    office = Office()
    request = office.asked()
    office.registration.stop()
    office.taken(request, 60)
    office.world.advance(1000)
    assert office.world.summaries() == []
    assert office.told == []


def test_a_greedy_registrar_is_not_asked_all_the_time() -> None:
    office = Office()
    office.taken(office.asked(), 1)
    office.world.advance(19)
    assert office.world.summaries() == []
