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
        acts = [lambda: invite.accept(Negotiation(CALLEE.host, 6000)), lambda: invite.reject(486), lambda: None]
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
    for agent in network.agents.values():
        assert agent.calls == []
        assert agent.transactions == 0
    assert network.timers.pending == 0
