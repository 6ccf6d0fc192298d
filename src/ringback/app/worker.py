"""The call worker: one ticker, one voice detector, one SIP endpoint, and the dialler that fills them with calls."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
from zoneinfo import ZoneInfo

from ringback.app.after_call import after_call
from ringback.app.core import PROVIDER, opened
from ringback.app.inbound import receiving, reception_of, sources_of
from ringback.app.keeping import Keeper
from ringback.app.lifespan import say_ready, stop_event
from ringback.app.presence import Presence
from ringback.app.providers import Providers
from ringback.app.settings import Settings
from ringback.app.talker import Studio
from ringback.app.telemetry.opening import watched
from ringback.app.telemetry.ticker_figures import of_ticker
from ringback.app.telephony import Telephony, opened_telephony
from ringback.billing.prices import Prices
from ringback.billing.reservation import Reservations
from ringback.conversation.dialogue import judging
from ringback.dialing.breaker import Breaker
from ringback.dialing.call import Line
from ringback.dialing.call_events import EventDelivery
from ringback.dialing.claims import Claims
from ringback.dialing.dialler import Dialler
from ringback.dialing.limits import Defaults, interval_us
from ringback.dialing.reaper import Reaper
from ringback.dialing.taking import Taking
from ringback.executions.record import CENT
from ringback.media.admission import WINDOW_S, Admission
from ringback.media.ticker import Ticker
from ringback.speech.vad import SileroVoiceDetector
from ringback.store.database import Database
from ringback.store.queries import trunk_gates

logger = logging.getLogger(__name__)


async def run(settings: Settings, index: int) -> None:
    """Be worker number `index` of this machine until told to stop; calls under way are finished first."""
    stopping, name = stop_event(), _name(index)
    async with (
        watched(settings, f"worker-{index}") as watching,
        opened(settings, watching.telemetry.moved) as core,
        opened_telephony(settings, index, (core.trunks, core.numbers)) as telephony,
    ):
        judging.prepare()
        await _limit_trunk(settings, core.db)
        await core.queue.wake()  # where that allows more than before, the other workers must know
        ticker, detector = Ticker(), SileroVoiceDetector()
        ticker.after(detector.run)
        prices, providers = Prices(core.db), Providers(settings)
        events = EventDelivery(core.db, core.wakeup, name)
        beside = [asyncio.create_task(ticker.run()), asyncio.create_task(events.run())]
        beside.append(asyncio.create_task(_drain(stopping, telephony)))
        if telephony.endpoint is not None:
            keeper = Keeper(core.trunks, telephony.endpoint, core.wakeup, core.clock, name)
            beside.append(asyncio.create_task(keeper.run(stopping)))
        studio = Studio(
            core.agents,
            core.ledger,
            providers,
            ticker,
            detector,
            core.clock,
            prices,
            settings.recordings,
            settings.ambient,
            events,
            watching.telemetry,
            name,
            telephony.carrier,
        )
        store, dialling = (core.db, core.ledger, core.clock), settings.dialling
        reservations = Reservations(core.db, core.clock, round(settings.wallet.reserve_extra_cents * CENT))
        defaults = Defaults(dialling.account_calls or None, interval_us(dialling.account_per_second))
        line = Line(
            claims=Claims(
                *store,
                name,
                dialling.lease_s,
                defaults=defaults,
                reservations=reservations,
            ),
            taking=Taking(
                *store,
                name,
                lease_s=dialling.lease_s,
                defaults=defaults,
                trunk=PROVIDER,
                unknown=ZoneInfo(dialling.unknown_timezone),
                breaker=Breaker(dialling.breaker_calls, dialling.breaker_share),
            ),
            reaper=Reaper(
                *store, name, lease_s=dialling.lease_s, unknown_s=dialling.unknown_s, wakeup=core.wakeup
            ),
            ledger=core.ledger,
            carrier=telephony.carrier,
            clock=core.clock,
            prepare=studio.prepare,
            after_call=after_call(core, settings, providers, prices, name, watching.telemetry),
            ring_timeout_s=settings.trunk.ring_timeout_s,
        )

        def lateness_ms() -> float:
            return ticker.lateness(WINDOW_S).p99_ms

        admits = Admission(lateness_ms, settings.lateness_limit_ms)
        dialler = Dialler(
            line,
            core.wakeup,
            capacity=settings.calls_per_worker,
            drain_s=settings.drain_s,
            admits=admits,
            others=lambda: reception.calls,
        )
        sources = sources_of(settings, core)
        reception = reception_of(
            settings,
            core,
            sources,
            studio,
            providers,
            reservations,
            line.after_call,
            admits=admits,
            others=lambda: dialler.calls,
            freed=dialler.look,
        )
        presence = Presence(
            name, index, telephony.address, settings.calls_per_worker, telephony.calls, lateness_ms
        )
        # What is loaded by now lives as long as the process: collecting it again would only delay audio.
        gc.collect()
        gc.freeze()
        logger.info("worker %d is ready for %d calls", index, settings.calls_per_worker)
        try:
            async with (
                presence.shown(core.db, core.clock, stopping),
                watching.pulse(core.clock, of_ticker(watching.telemetry, ticker)),
                receiving(reception, sources, telephony.endpoint),
            ):
                say_ready()
                await asyncio.gather(dialler.run(stopping), reception.run(stopping))
        finally:
            ticker.stop()
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)


async def _limit_trunk(settings: Settings, db: Database) -> None:
    """The last worker that starts decides for all."""
    trunk = settings.trunk
    async with db.transaction() as tx:
        await trunk_gates.set_limits(
            tx,
            PROVIDER,
            max_calls=trunk.max_calls or None,
            interval_us=interval_us(trunk.calls_per_second),
        )


async def _drain(stopping: asyncio.Event, telephony: Telephony) -> None:
    await stopping.wait()
    telephony.drain()


def _name(index: int) -> str:
    """Unique to this run of the process: a restarted worker does not inherit leases."""
    return f"{socket.gethostname()}/{index}/{os.getpid()}/{os.urandom(4).hex()}"
