"""Keypad keys that come as SIP INFO (the bodies that gateways have agreed on; RFC 6086 leaves them open)."""

from __future__ import annotations

from typing import Final

from ringback.media.dtmf import KEYS
from ringback.media.leg import Digit
from ringback.telephony.sip.message import Request

RELAY: Final = "application/dtmf-relay"
"""`Signal=5` and `Duration=160` (ms) on lines of their own."""
PLAIN: Final = "application/dtmf"
"""The key alone."""
ACCEPT: Final = f"{RELAY}, {PLAIN}"
_USUAL_MS: Final = 160
_LONGEST_MS: Final = 10_000


def is_keypad(info: Request) -> bool:
    """Whether an INFO speaks of keys."""
    return info.content_type in (RELAY, PLAIN)


def digit_of(info: Request) -> Digit | None:
    """The key that an INFO tells; None where it tells none."""
    text = info.body[:200].decode("ascii", "replace")
    if info.content_type == PLAIN:
        return _digit(text, "")
    fields = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        fields[name.strip().lower()] = value
    return _digit(fields.get("signal", ""), fields.get("duration", ""))


def _digit(signal: str, duration: str) -> Digit | None:
    signal, duration = signal.strip().upper(), duration.strip()
    if signal.isascii() and signal.isdigit() and len(signal) == 2 and int(signal) < len(KEYS):
        signal = KEYS[int(signal)]  # the event codes of RFC 4733: 10 for *, 11 for #
    if len(signal) != 1 or signal not in KEYS:
        return None
    plausible = duration.isascii() and duration.isdigit() and len(duration) <= 6
    return Digit(signal, min(int(duration), _LONGEST_MS) if plausible else _USUAL_MS)
