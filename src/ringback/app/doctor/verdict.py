"""What an answered test call says of the audio."""

from __future__ import annotations

import ipaddress
from typing import Any, Final

from ringback.app.doctor import faults
from ringback.app.doctor.faults import Fault
from ringback.app.doctor.finding import Finding
from ringback.app.doctor.line import HERE_HZ, CallWish, End, Tried
from ringback.app.settings import Settings

CHECK: Final = "call"
LOST_PERCENT: Final = 2.0
JITTER_MS: Final = 40.0
DELAY_MS: Final = 500
_LEAST_PACKETS: Final = 10
_LEAST_TONE: Final = 10
"""Frames."""

Broken = tuple[Fault, dict[str, Any]]


def judged(call: Tried, settings: Settings, wish: CallWish, trunk: str) -> list[Finding]:
    """The one fault that explains why no audio can be, or each that spoils it, or that all is well. `trunk` is the
    address that the signalling goes to."""
    if (cut := call.here.cut_off) is not None:
        facts = {"seconds": f"{call.here.seconds:.1f}", "reason": cut.detail or cut.reason}
        return [Finding.of(CHECK, faults.DROPPED, **facts)]
    broken = _broken(call, settings, wish, trunk)
    spoiled = [broken] if broken is not None else _spoiled(call, wish)
    if spoiled:
        return [Finding.of(CHECK, fault, **facts) for fault, facts in spoiled]
    return [Finding.ok(CHECK, _well(call, wish))]


def _broken(call: Tried, settings: Settings, wish: CallWish, trunk: str) -> Broken | None:
    here, there = call.here, call.there
    statistics, heard = here.statistics, here.heard()
    ports = {"low": settings.sip.rtp_port_low, "high": settings.sip.rtp_port_high}
    remote, host = _remote(here)
    if here.leg.media is not None and _foreign(here):
        codec = here.leg.media.codec.name
        return faults.WRONG_CODEC, {"payload_type": statistics.foreign_payload_type, "codec": codec}
    if _hears_nothing(here):
        if there is not None and not _hears_nothing(there):
            return faults.NOTHING_COMES, {"ours": settings.sip.host, **ports}
        if _unreachable(host, trunk):
            return faults.PRIVATE_MEDIA, {"remote": remote}
        return faults.NO_AUDIO, {"remote": remote, **ports}
    if there is not None and _hears_nothing(there):
        return faults.NOTHING_ARRIVES, {"remote": remote}
    if wish.echoes and heard.tone_frames < _LEAST_TONE:
        return faults.NOTHING_ARRIVES, {"remote": remote}
    if not heard.loud_frames:
        return faults.SILENT_AUDIO, {}
    return None


def _spoiled(call: Tried, wish: CallWish) -> list[Broken]:
    ends = [end for end in (call.here, call.there) if end is not None]
    found: list[Broken] = []
    lost = max(_lost(end) for end in ends)
    jitter = max(end.statistics.jitter_ms for end in ends)
    delay = _delay_ms(call, wish)
    if lost > LOST_PERCENT:
        found.append((faults.LOSS, {"percent": f"{lost:.0f}"}))
    if jitter > JITTER_MS:
        found.append((faults.JITTER, {"ms": f"{jitter:.0f}"}))
    if delay is not None and delay > DELAY_MS:
        found.append((faults.DELAY, {"ms": delay}))
    if not found and not all(end.heard().clean for end in ends):
        found.append((faults.GARBLED, {}))
    if not wish.echoes and call.here.heard(HERE_HZ).tone_frames >= _LEAST_TONE:
        found.append((faults.LINE_ECHO, {}))
    return found


def _well(call: Tried, wish: CallWish) -> str:
    statistics, delay = call.here.statistics, _delay_ms(call, wish)
    quality = f"lost {_lost(call.here):.1f} %, jitter {statistics.jitter_ms:.0f} ms"
    if delay is None:
        return (
            f"Audio comes in well ({quality}); whether ours arrives is shown by an echo service (--echo) or a number of"
            " our own."
        )
    return f"Both sides hear each other ({quality}, there and back {delay} ms)."


def _hears_nothing(end: End) -> bool:
    return end.statistics.packets_received < _LEAST_PACKETS


def _foreign(end: End) -> bool:
    """Whether most of what comes is in a codec that nobody agreed on."""
    statistics = end.statistics
    return statistics.foreign_payload_type is not None and (
        statistics.packets_rejected > statistics.packets_received
    )


def _lost(end: End) -> float:
    """Percent."""
    statistics = end.statistics
    return 100 * statistics.packets_lost / max(1, statistics.packets_received + statistics.packets_lost)


def _delay_ms(call: Tried, wish: CallWish) -> int | None:
    """There and back. The two ends began at moments of their own: in the sum that cancels out."""
    here = call.here.heard().delay_ms
    if wish.echoes:
        return here
    there = call.there.heard().delay_ms if call.there is not None else None
    return None if here is None or there is None else here + there


def _remote(end: End) -> tuple[str, str]:
    """Where the other side wants audio: host:port, and the host alone."""
    media = end.leg.media
    if media is None or media.remote is None:
        return "the other side", ""
    host, port = media.remote
    return f"{host}:{port}", host


def _unreachable(host: str, trunk: str) -> bool:
    """Whether it is a private address in another network than the trunk's."""
    if not host:
        return False
    theirs, there = ipaddress.ip_address(host), ipaddress.ip_address(trunk)
    if not theirs.is_private or theirs.version != there.version:
        return False
    return there not in ipaddress.ip_network(f"{theirs}/{16 if theirs.version == 4 else 48}", strict=False)
