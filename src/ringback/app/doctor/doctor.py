"""All checks in their order: what the later ones need is looked at first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final

from ringback.app.doctor import machine, speech, store, trunk
from ringback.app.doctor.finding import Faulty, Finding
from ringback.app.doctor.line import CallWish, tried
from ringback.app.doctor.probe import PATIENCE_S
from ringback.app.doctor.verdict import judged
from ringback.app.doctor.way import address_of, certificates, trunk_of
from ringback.app.settings import Settings
from ringback.clock import Clock

_UNTRIED: Final = "What was found above must be mended first."


async def examine(
    settings: Settings, clock: Clock, wish: CallWish | None = None, patience_s: float = PATIENCE_S
) -> AsyncIterator[Finding]:
    """Everything that can be found out, each finding as soon as it is there. `patience_s` is the longest wait for an
    answer of the trunk."""
    workforce = store.Workforce()
    yield _found("disk", lambda: machine.disk(settings))
    try:
        workforce = await store.workforce(settings, clock)
    except Faulty as fault:
        yield fault.finding("database")
    else:
        yield Finding.ok("database", "The database is there, and its tables are those of this version.")
        for finding in store.at_work(settings, workforce):
            yield finding
    yield _found("sip port", lambda: machine.sip(settings, workforce.addresses))
    yield _found("audio ports", lambda: machine.rtp(settings, workforce.calls))
    for check, look in (("speech", speech.understood), ("language model", speech.language_model)):
        try:
            yield await look(settings)
        except Faulty as fault:
            yield fault.finding(check)
    async for finding in of_trunk(settings, clock, wish, patience_s):
        yield finding


async def of_trunk(
    settings: Settings, clock: Clock, wish: CallWish | None, patience_s: float
) -> AsyncIterator[Finding]:
    """The checks of the trunk alone."""
    check = "trunk"
    try:
        way = trunk_of(settings)
        probe, reply = await trunk.reached(way, settings.sip.host, patience_s, certificates(settings))
        yield Finding.ok(check, f"The trunk at {probe.address} answers.")
        check = "credentials"
        yield await trunk.known(way, probe)
        for finding in trunk.seen(reply, await address_of(settings.sip.external_host), clock):
            yield finding
        check = "call"
        if wish is None:
            yield Finding.skipped(check, "Say --call NUMBER to have a call placed and listened to.")
            return
        call = await tried(way, settings, wish)
        for finding in judged(call, settings, wish, probe.peer):
            yield finding
    except Faulty as fault:
        yield fault.finding(check)
        if check != "call" and wish is not None:
            yield Finding.skipped("call", _UNTRIED)


def _found(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Faulty as fault:
        return fault.finding(check)
