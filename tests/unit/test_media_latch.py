"""Which source of RTP is believed."""

from ringback.media.latch import SourceLatch

SIGNALLED = ("192.0.2.1", 4000)
BEHIND_NAT = ("198.51.100.7", 31000)
STRANGER = ("203.0.113.9", 4000)


def send(latch, source, count, *, first=100, ssrc=1, now=0.0, step=1):
    return [latch.admit(source, ssrc, (first + i * step) & 0xFFFF, now + 0.02 * i) for i in range(count)]


def test_the_signalled_address_is_believed_at_once():
    latch = SourceLatch(SIGNALLED)
    assert send(latch, SIGNALLED, 1) == [True]
    assert latch.target == SIGNALLED


def test_a_peer_behind_nat_is_believed_after_three_packets_in_sequence():
    latch = SourceLatch(SIGNALLED)
    assert send(latch, BEHIND_NAT, 4, first=65534) == [False, False, True, True]
    assert latch.target == BEHIND_NAT


def test_stray_packets_are_not_believed():
    latch = SourceLatch(SIGNALLED)
    assert not any(send(latch, STRANGER, 20, step=7))
    assert not any(latch.admit(STRANGER, ssrc, 100 + ssrc, 1.0) for ssrc in range(10))
    assert latch.target == SIGNALLED


def test_nobody_takes_the_place_of_a_peer_that_speaks():
    for peer in (SIGNALLED, BEHIND_NAT):
        latch = SourceLatch(SIGNALLED)
        send(latch, peer, 3)
        for i in range(200):
            now = 0.06 + 0.02 * i
            assert latch.admit(peer, 1, 103 + i, now)
            assert not latch.admit(STRANGER, 9, i, now)
        assert latch.target == peer


def test_a_peer_that_fell_silent_may_have_moved():
    latch = SourceLatch(SIGNALLED)
    send(latch, SIGNALLED, 3)
    assert not any(send(latch, BEHIND_NAT, 5, now=1.0))
    assert send(latch, BEHIND_NAT, 3, now=3.0) == [False, False, True]


def test_the_signalled_address_takes_its_place_back():
    latch = SourceLatch(SIGNALLED)
    send(latch, STRANGER, 3)
    assert latch.target == STRANGER
    assert send(latch, SIGNALLED, 1, now=0.1) == [True]
    assert latch.target == SIGNALLED
    assert not any(send(latch, STRANGER, 5, first=103, now=0.12))
