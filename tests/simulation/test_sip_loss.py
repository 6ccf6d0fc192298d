"""Calls between two user agents of ours over a network that loses, repeats, delays and reorders, by seed."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from ringback.telephony.sip.agent import UserAgent
from ringback.telephony.sip.events import CallEvent, Connected, Finished
from ringback.telephony.sip.header import NameAddr
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.incoming import IncomingInvite
from ringback.telephony.sip.outgoing import Invitation, OutgoingCall
from ringback.telephony.sip.sdp import Negotiation
from ringback.telephony.sip.transaction import Timing, always
from ringback.telephony.sip.uri import SipUri
from tests.support.sip_world import VirtualTimers

CALLER = Hop("192.0.2.1", 5060)
CALLEE = Hop("192.0.2.2", 5060)
LOSS, REPETITION, LONGEST_DELAY = 0.25, 0.1, 0.4


class Network:
    """Delivers datagrams between agents, badly."""

    def __init__(self, rng: random.Random) -> None:
        self.timers = VirtualTimers()
        self.agents: dict[Hop, UserAgent] = {}
        self._rng = rng

    def join(self, address: Hop) -> UserAgent:
        agent = self.agents[address] = UserAgent(
            Socket(self, address), self.timers, (address.host, address.port or 0), Timing()
        )
        return agent

    def carry(self, data: bytes, source: Hop, to: Hop) -> None:
        for _ in range(2 if self._rng.random() < REPETITION else 1):
            if self._rng.random() >= LOSS:
                delay = self._rng.uniform(0, LONGEST_DELAY)
                self.timers.call_later(delay, lambda: self.agents[to].receive(data, source))


class Socket:
    """Implements `Wire`."""

    def __init__(self, network: Network, address: Hop) -> None:
        self._network = network
        self._address = address

    def locate(self, hop: Hop, use: Callable[[tuple[Hop, ...]], None]) -> None:
        use((hop,))

    def avoid(self, target: Hop) -> None:
        pass

    def send(
        self, data: bytes, to: Hop, failed: Callable[[], None], in_time: Callable[[], bool] = always
    ) -> None:
        self._network.carry(data, self._address, to)


class Callee:
    """Rings, then answers, refuses or sleeps; may hang up after a while."""

    def __init__(self, network: Network, rng: random.Random) -> None:
        self.events: list[list[CallEvent]] = []
        self._timers = network.timers
        self._rng = rng
        network.join(CALLEE).on_invite = self._take

    def _take(self, invite: IncomingInvite) -> None:
        events: list[CallEvent] = []
        self.events.append(events)
        invite.listen(events.append)
        invite.ring()
        acts = [
            lambda: invite.accept(Negotiation(CALLEE.host, 6000)),
            lambda: invite.reject(486),
            lambda: None,
        ]
        decision = self._rng.choices(acts, [6, 2, 1])[0]
        self._timers.call_later(self._rng.uniform(0, 10), decision)
        self._timers.call_later(self._rng.uniform(0, 40), invite.hang_up)


@pytest.mark.parametrize("seed", range(300))
def test_every_call_ends_once_on_both_sides(seed: int) -> None:
    rng = random.Random(seed)
    network = Network(rng)
    callee = Callee(network, rng)
    caller = network.join(CALLER)
    heard: list[CallEvent] = []
    invitation = Invitation(
        SipUri.parse("sip:person@192.0.2.2"), NameAddr("sip:us@192.0.2.1"), CALLEE, f"call-{seed}"
    )
    call = OutgoingCall(caller, invitation, Negotiation(CALLER.host, 4000), heard.append)
    call.start()
    network.timers.call_later(rng.uniform(0, 60), call.hang_up)
    network.timers.advance(300)

    sides = [heard, *callee.events]
    assert len(callee.events) <= 1, "one INVITE became two calls"
    for events in sides:
        assert [type(event) for event in events].count(Finished) == 1
        assert [type(event) for event in events].count(Connected) <= 1
        assert isinstance(events[-1], Finished)
    if any(isinstance(event, Connected) for event in heard):
        assert any(isinstance(event, Connected) for event in callee.events[0])
    nothing_is_left(network)


@pytest.mark.parametrize("seed", range(200))
def test_both_sides_negotiate_at_will(seed: int) -> None:
    """Holds, resumes, transfers and refreshes of both sides cross, and each knows in the end how the other stands."""
    rng = random.Random(seed)
    network = Network(rng)
    taken: list[IncomingInvite] = []
    ears: tuple[list[CallEvent], list[CallEvent]] = ([], [])

    def take(invite: IncomingInvite) -> None:
        taken.append(invite)
        invite.listen(ears[1].append)
        invite.accept(Negotiation(CALLEE.host, 6000))

    network.join(CALLEE).on_invite = take
    invitation = Invitation(
        SipUri.parse("sip:person@192.0.2.2"), NameAddr("sip:us@192.0.2.1"), CALLEE, f"call-{seed}"
    )
    call = OutgoingCall(network.join(CALLER), invitation, Negotiation(CALLER.host, 4000), ears[0].append)
    call._proposal.seconds = 90
    call.start()

    def at_will(side: int) -> None:
        party = call if side == 0 else taken[0] if taken else None
        if party is not None:
            rng.choice(
                [lambda: party.hold(True), lambda: party.hold(False), lambda: party.refer("+15550177")]
            )()

    for side in (0, 1):
        for _ in range(6):
            network.timers.call_later(rng.uniform(0, 150), lambda side=side: at_will(side))
    network.timers.advance(330)

    sessions = [party._session for party in (call, *taken) if party._session is not None]
    over = [any(isinstance(event, Finished) for event in events) for events in ears]
    if not any(over) and len(sessions) == 2:
        (ours, theirs) = sessions
        assert ours._negotiation.agreed is not None
        assert theirs._negotiation.agreed is not None
        assert ours._negotiation.agreed.may_send is not theirs._negotiation.holding
        assert theirs._negotiation.agreed.may_send is not ours._negotiation.holding
    for party in (call, *taken):
        party.hang_up()
    network.timers.advance(300)
    for events in ears:
        assert [type(event) for event in events].count(Finished) <= 1
        for index, event in enumerate(events):
            assert index == len(events) - 1 or not isinstance(event, Finished)
    assert isinstance(ears[0][-1], Finished)
    nothing_is_left(network)


def nothing_is_left(network: Network) -> None:
    for agent in network.agents.values():
        assert agent.calls == []
        assert agent.transactions == 0
    assert network.timers.pending == 0
