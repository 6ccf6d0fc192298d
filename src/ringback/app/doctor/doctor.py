"""All checks in their order: what the later ones need is looked at first."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Final

from ringback.app.doctor import machine, speech, store, trunk
from ringback.app.doctor.finding import Faulty, Finding
from ringback.app.doctor.line import CallWish, tried
from ringback.app.doctor.probe import PATIENCE_S
from ringback.app.doctor.verdict import judged
from ringback.app.doctor.way import Way, address_of, certificates, own_way
from ringback.app.settings import Settings
from ringback.clock import Clock

_UNTRIED: Final = "What was found above must be mended first."


async def examine(
    settings: Settings, clock: Clock, wish: CallWish | None = None, patience_s: float = PATIENCE_S
) -> AsyncIterator[Finding]:
    """Everything that can be found out, each finding as soon as it is there. `patience_s` is the longest wait for an
    answer of a trunk."""
    workforce, ways = store.Workforce(), list[Way]()
    yield _found("disk", lambda: machine.disk(settings))
    try:
        workforce = await store.workforce(settings, clock)
    except Faulty as fault:
        yield fault.finding("database")
    else:
        yield Finding.ok("database", "The database is there, and its tables are those of this version.")
        for finding in store.at_work(settings, workforce):
            yield finding
        try:
            ways = await store.trunks(settings, clock)
        except Faulty as fault:
            yield fault.finding("trunks")
    yield _found("sip port", lambda: machine.sip(settings, workforce.addresses))
    yield _found("audio ports", lambda: machine.rtp(settings, workforce.calls))
    for check, look in (("speech", speech.understood), ("language model", speech.language_model)):
        try:
            yield await look(settings)
        except Faulty as fault:
            yield fault.finding(check)
    async for finding in of_trunks(settings, clock, ways, wish, patience_s):
        yield finding


async def of_trunks(
    settings: Settings,
    clock: Clock,
    ways: Sequence[Way],
    wish: CallWish | None = None,
    patience_s: float = PATIENCE_S,
) -> AsyncIterator[Finding]:
    """The checks of the trunks alone; `ways` are those of accounts."""
    try:
        every = [own_way(settings), *ways] if settings.trunk.host or not ways else list(ways)
    except Faulty as fault:
        yield fault.finding("trunk")
        return
    called = None if wish is None else next((way for way in every if _meant(way, wish)), None)
    for way in every:
        wanted = wish if way is called else None
        async for finding in _of_way(way, settings, clock, wanted, patience_s):
            yield replace(finding, check=f"{finding.check} {way.name}".rstrip())
    if wish is None:
        yield Finding.skipped("call", "Say --call NUMBER to have a call placed and listened to.")
    elif called is None:
        yield Finding.skipped("call", f"There is no trunk named {wish.trunk}.")


def _meant(way: Way, wish: CallWish) -> bool:
    """The first one, where none is named; of a trunk with several gateways the one that calls try first."""
    return not wish.trunk or way.name == wish.trunk or way.name.startswith(f"{wish.trunk} (")


async def _of_way(
    way: Way, settings: Settings, clock: Clock, wish: CallWish | None, patience_s: float
) -> AsyncIterator[Finding]:
    check = "trunk"
    try:
        probe, reply = await trunk.reached(way.trunk, settings.sip.host, patience_s, certificates(settings))
        yield Finding.ok(check, f"The trunk at {probe.address} answers.")
        check = "credentials"
        yield await trunk.known(way.trunk, probe)
        for finding in trunk.registered(way, clock):
            yield finding
        for finding in trunk.seen(reply, await address_of(settings.sip.external_host), clock):
            yield finding
        if wish is not None:
            check = "call"
            wish = replace(wish, number=way.dialled(wish.number))
            for finding in judged(await tried(way.trunk, settings, wish), settings, wish, probe.peer):
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
