"""A call without audio ends; a held one is given time."""

from __future__ import annotations

import pytest

from ringback.telephony.sip.media_watch import HELD_TIMEOUT, MediaWatch
from tests.support.sip_world import VirtualTimers


class Peer:
    def __init__(self, timeout_s: float = 30.0) -> None:
        self.timers = VirtualTimers()
        self.packets = 0
        self.lost_at: list[float] = []
        self.watch = MediaWatch(
            self.timers, timeout_s, lambda: self.packets, lambda: self.lost_at.append(self.timers.now)
        )

    def talks(self, seconds: float) -> None:
        for _ in range(int(seconds)):
            self.packets += 50
            self.timers.advance(1)


def test_audio_that_stops() -> None:
    peer = Peer()
    peer.timers.advance(100)  # ringing: nothing is expected yet
    peer.watch.start()
    peer.talks(100)
    peer.timers.advance(100)
    (at,) = peer.lost_at
    assert 200 + 29 < at <= 200 + 33
    assert peer.timers.pending == 0


def test_audio_that_never_came() -> None:
    peer = Peer(timeout_s=10)
    peer.watch.start()
    peer.timers.advance(9.5)
    assert not peer.lost_at
    peer.timers.advance(2)
    assert len(peer.lost_at) == 1


def test_a_packet_now_and_then_is_enough() -> None:
    peer = Peer()
    peer.watch.start()
    for _ in range(20):
        peer.timers.advance(25)
        peer.packets += 1
    assert not peer.lost_at


def test_on_hold() -> None:
    peer = Peer()
    peer.watch.start()
    peer.watch.hold(True)
    peer.timers.advance(HELD_TIMEOUT - 5)
    assert not peer.lost_at
    peer.watch.hold(False)
    peer.timers.advance(29)
    assert not peer.lost_at
    peer.timers.advance(5)
    assert len(peer.lost_at) == 1


@pytest.mark.parametrize("how", ["off", "stopped"])
def test_never(how: str) -> None:
    peer = Peer(timeout_s=0 if how == "off" else 30)
    peer.watch.start()
    if how == "stopped":
        peer.watch.stop()
    peer.timers.advance(10_000)
    assert not peer.lost_at
    assert peer.timers.pending == 0
