"""The four transactions, in virtual time, against the figures of RFC 3261 section 17 and RFC 6026."""

from __future__ import annotations

import pytest

from ringback.telephony.sip.header import CSeq
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.transaction import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Do,
    Event,
    State,
    Table,
    Timing,
)
from ringback.telephony.sip.transaction_layer import ServerTransaction, TransactionLayer
from tests.support.sip_world import PEER, World, answer, peer_request

TABLES = {"INVITE client": INVITE_CLIENT, "client": CLIENT, "INVITE server": INVITE_SERVER, "server": SERVER}


class User:
    """Takes what the layer gives, and answers nothing by itself."""

    def __init__(self) -> None:
        self.requests: list[ServerTransaction] = []
        self.acks: list[Request] = []
        self.responses: list[Response] = []
        self.failures: list[Event] = []

    def on_request(self, transaction: ServerTransaction) -> None:
        self.requests.append(transaction)

    def on_ack(self, ack: Request) -> None:
        self.acks.append(ack)


class Layer:
    def __init__(self) -> None:
        self.world = World()
        self.user = User()
        self.layer = TransactionLayer(self.world, self.world.timers, Timing(), self.user)

    def request(self, method: str) -> Request:
        request = peer_request(method, 1)
        self.layer.send_request(request, PEER, self.user.responses.append, self.user.failures.append)
        return request

    def receive(self, message: Request | Response) -> None:
        self.layer.receive(message.encode(), PEER)

    def times(self) -> list[float]:
        return [sent.at for sent in self.world.take()]


@pytest.fixture
def layer() -> Layer:
    return Layer()


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_state_can_be_reached_and_left(table: Table) -> None:
    states = {state for state, _ in table}
    targets = {target for target, _ in table.values()}
    assert State.TERMINATED in targets
    assert State.TERMINATED not in states
    assert targets - {State.TERMINATED} <= states
    for (state, _), (target, actions) in table.items():
        assert Do.DELIVER not in actions[:-1], (state, target)  # the user may act on the transaction


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_waiting_states_end_by_a_timer(table: Table) -> None:
    open_ended = {State.PROCEEDING, State.TRYING, State.CALLING}
    for state in {state for state, _ in table} - open_ended:
        timers = {Event.LINGERED, Event.TIMEOUT}
        ends = {
            event for (at, event), (target, _) in table.items() if at is state and target is State.TERMINATED
        }
        assert ends & timers, state


def test_requests_are_repeated_up_to_t2_until_timer_f(layer: Layer) -> None:
    layer.request("BYE")
    layer.world.advance(40)
    assert layer.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert layer.user.failures == [Event.TIMEOUT]


def test_after_a_provisional_response_requests_are_repeated_every_t2(layer: Layer) -> None:
    bye = layer.request("BYE")
    layer.receive(answer(bye, 100, tag=None))
    layer.world.advance(12.5)
    assert layer.times() == [0, 4, 8, 12]


def test_final_responses_are_given_once(layer: Layer) -> None:
    bye = layer.request("BYE")
    layer.receive(answer(bye, 200))
    layer.receive(answer(bye, 200))
    layer.world.advance(5)
    layer.receive(answer(bye, 200))  # timer K is over, nobody knows it any more
    assert [response.status for response in layer.user.responses] == [200]
    assert layer.times() == [0]


def test_every_2xx_to_an_invite_is_given_until_timer_m(layer: Layer) -> None:
    invite = layer.request("INVITE")
    layer.receive(answer(invite, 200))
    layer.world.advance(31.9)
    layer.receive(answer(invite, 200, tag="fork"))
    layer.world.advance(0.1)
    layer.receive(answer(invite, 200))
    assert [response.to.tag for response in layer.user.responses] == ["peer", "fork"]
    assert layer.times() == [0]  # the ACK of a 2xx is not the transaction's


def test_every_refusal_of_an_invite_is_acknowledged_until_timer_d(layer: Layer) -> None:
    invite = layer.request("INVITE")
    for _ in range(3):
        layer.receive(answer(invite, 486))
    acks = layer.world.take()[1:]
    assert [ack.summary for ack in acks] == ["ACK"] * 3
    assert acks[0].message.cseq == CSeq(1, "ACK")
    layer.world.advance(32)
    layer.receive(answer(invite, 486))
    assert layer.world.take() == []
    assert len(layer.user.responses) == 1


def test_a_request_is_given_once_and_its_answer_repeated(layer: Layer) -> None:
    options = peer_request("OPTIONS", 1)
    layer.receive(options)
    layer.receive(options)
    assert layer.world.take() == []  # nothing to repeat yet
    layer.user.requests[0].respond(options.response(200))
    layer.receive(options)
    assert layer.world.summaries() == ["200 OPTIONS"] * 2
    layer.world.advance(32)
    layer.receive(options)
    assert len(layer.user.requests) == 2


def test_refusal_of_an_invite_is_repeated_until_timer_h(layer: Layer) -> None:
    invite = peer_request("INVITE", 1)
    layer.receive(invite)
    layer.user.requests[0].reject(486)
    layer.world.advance(40)
    assert layer.times() == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_ack_of_a_refusal_stays_in_the_transaction_and_of_a_2xx_does_not(layer: Layer) -> None:
    for branch, status in (("z9hG4bKa", 486), ("z9hG4bKb", 200)):
        invite = peer_request("INVITE", 1, branch=branch)
        layer.receive(invite)
        layer.user.requests[-1].respond(invite.response(status, "us"))
    layer.receive(peer_request("ACK", 1, to_tag="us", branch="z9hG4bKa"))
    assert layer.user.acks == []
    layer.receive(peer_request("ACK", 1, to_tag="us", branch="z9hG4bKc"))
    assert len(layer.user.acks) == 1


def test_peers_of_rfc_2543_are_told_apart_without_the_cookie(layer: Layer) -> None:
    layer.receive(peer_request("OPTIONS", 1, branch="1"))
    layer.receive(peer_request("OPTIONS", 1, branch="1"))
    layer.receive(peer_request("OPTIONS", 2, branch="1"))
    assert len(layer.user.requests) == 2


def test_same_branch_of_another_sender_is_another_transaction(layer: Layer) -> None:
    layer.receive(peer_request("OPTIONS", 1, branch="z9hG4bKx"))
    other = peer_request("OPTIONS", 1)
    other.headers.set("Via", "SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKx")
    layer.receive(other)
    assert len(layer.user.requests) == 2
