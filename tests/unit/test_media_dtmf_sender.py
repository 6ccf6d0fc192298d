"""Keys that we press: their packets, their rhythm, and that our own receiver reads them back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.media.dtmf import KEYS, DtmfReceiver, TelephoneEvent
from ringback.media.dtmf_sender import MAX_KEYS, DtmfSender, Pressed, pressable
from ringback.media.leg import Digit


def ticks(keys: str) -> list[Pressed | None]:
    sender = DtmfSender()
    sender.press(keys)
    sent = [sender.next()]
    while sender._waiting:
        sent.append(sender.next())
    return sent


def test_a_key_is_five_packets_and_its_end_twice_again() -> None:
    sent = ticks("7")
    events = [pressed.event for pressed in sent if pressed is not None]
    assert (
        events
        == [TelephoneEvent(7, False, 10, 160 * n) for n in (1, 2, 3, 4)]
        + [TelephoneEvent(7, True, 10, 800)] * 3
    )
    assert sent[7:] == [None] * 3, "keys run together"
    assert [pressed.sounds for pressed in sent if pressed] == [True] * 5 + [False] * 2


def test_a_pause_is_half_a_second() -> None:
    sent = ticks("1w2")
    assert [place for place, pressed in enumerate(sent) if pressed and pressed.tick == 0] == [0, 35]


@pytest.mark.parametrize("keys", ["", "12x", "+1", "1" * (MAX_KEYS + 1), "1 2", "１"])
def test_other_keys_are_refused_and_none_of_them_pressed(keys: str) -> None:
    assert not pressable(keys)
    sender = DtmfSender()
    with pytest.raises(ValueError, match="keys are 1 to 100"):
        sender.press(keys)
    assert sender.next() is None


def test_what_waits_is_bounded() -> None:
    sender = DtmfSender()
    sender.press("1" * 60)
    with pytest.raises(ValueError, match="more than 100"):
        sender.press("2" * 41)
    sender.press("2" * 40)


@settings(deadline=None)
@given(st.text(KEYS + "w", min_size=1, max_size=6), st.data())
def test_the_receiver_reads_each_key_once_although_two_of_its_end_packets_are_lost(
    keys: str, data: st.DataObject
) -> None:
    read: list[Digit] = []
    receiver, now, timestamp, began = DtmfReceiver(read.append), 0.0, 2**32 - 4000, 0
    for pressed in ticks(keys):
        if pressed is not None:
            began = timestamp if pressed.tick == 0 else began
            lost = pressed.tick in (4, 5) and data.draw(st.booleans())
            if not lost:
                receiver.receive(began % 2**32, pressed.event.serialize(), now)
        receiver.poll(now)
        now, timestamp = now + 0.02, timestamp + 160
    receiver.poll(now + 1)
    assert read == [Digit(key, 100) for key in keys if key != "w"]
