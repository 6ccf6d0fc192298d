"""Encrypted packets: those of RFC 3711's reference cipher, told apart from forged and repeated ones."""

from __future__ import annotations

import pytest

from ringback.media.rtp import RtpPacket
from ringback.media.srtp import Srtp, SrtpError, SrtpKey, SrtpKeys, Suite

A, B, C = (SrtpKey(Suite.SHA1_80, bytes([n] * 30)) for n in (1, 2, 3))
SHORT = SrtpKey(Suite.SHA1_32, bytes([4] * 30))


def packet(number: int, ssrc: int = 7) -> bytes:
    return RtpPacket(0, number, number * 160, ssrc, b"speech" * 20).serialize()


@pytest.mark.parametrize(("key", "tag"), [(A, 10), (SHORT, 4)])
def test_both_directions(key: SrtpKey, tag: int) -> None:
    left, right = Srtp(SrtpKeys(key, B)), Srtp(SrtpKeys(B, key))
    sealed = left.protect(packet(1))
    assert len(sealed) == len(packet(1)) + tag
    assert b"speech" not in sealed
    assert right.unprotect(sealed) == packet(1)
    assert left.unprotect(right.protect(packet(9))) == packet(9)


def test_forged_repeated_and_plain_packets_are_refused() -> None:
    left, right = Srtp(SrtpKeys(A, B)), Srtp(SrtpKeys(B, A))
    sealed = left.protect(packet(1))
    right.unprotect(sealed)
    stranger = Srtp(SrtpKeys(C, B)).protect(packet(2))
    for bad in (sealed, sealed[:-1], sealed[:20] + b"x" + sealed[21:], packet(2), stranger, b"", b"x" * 3000):
        with pytest.raises(SrtpError):
            right.unprotect(bad)
    assert right.unprotect(left.protect(packet(2))) == packet(2)


def test_a_packet_that_does_not_fit_is_refused() -> None:
    with pytest.raises(SrtpError):
        Srtp(SrtpKeys(A, B)).protect(b"x" * 5000)


def test_another_source_of_the_same_key_is_heard() -> None:
    left, right = Srtp(SrtpKeys(A, B)), Srtp(SrtpKeys(B, A))
    assert right.unprotect(left.protect(packet(1, ssrc=7))) == packet(1, ssrc=7)
    assert right.unprotect(left.protect(packet(1, ssrc=8))) == packet(1, ssrc=8)


def test_the_counter_of_a_key_that_stays_goes_on() -> None:
    """Sequence numbers start anew after 65,535; how often they did is counted, never sent."""
    left, right = Srtp(SrtpKeys(A, B)), Srtp(SrtpKeys(B, A))
    for number in (65_534, 65_535, 0, 1):
        right.unprotect(left.protect(packet(number)))
    left.renew(SrtpKeys(A, C))
    right.renew(SrtpKeys(C, A))
    assert right.unprotect(left.protect(packet(2))) == packet(2)
    assert left.unprotect(right.protect(packet(5))) == packet(5)


def test_keys_have_their_length_and_are_not_shown() -> None:
    with pytest.raises(ValueError, match="30 octets, not 16"):
        SrtpKey(Suite.SHA1_80, bytes(16))
    assert SrtpKey.fresh(Suite.SHA1_80) != SrtpKey.fresh(Suite.SHA1_80)
    assert repr(bytes([1] * 30)) not in repr(SrtpKeys(A, B))
