"""The reception of a worker, wired: where calls come from, what is known of callers, and what comes before agents."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ringback.agents.ivr_config import MAX_DIGITS, IvrConfig
from ringback.agents.validation import check
from ringback.app.core import PROVIDER, Core
from ringback.app.ivr import menus
from ringback.app.providers import Providers
from ringback.app.settings import Settings
from ringback.app.talker import Studio
from ringback.billing.reservation import Reservations
from ringback.calls.call import AfterCall, Talker
from ringback.calls.ivr import IvrTalker
from ringback.executions.ledger import Ledger
from ringback.executions.record import Execution
from ringback.inbound.call import Desk
from ringback.inbound.callers import Callers
from ringback.inbound.opening import NUMBER, Opening
from ringback.inbound.reception import House, Introduce, Reception, Wait
from ringback.inbound.sources import Own, Sources
from ringback.inbound.waiting import WaitingTalker
from ringback.net.resolving import Resolver
from ringback.store.database import StoreError
from ringback.store.wakeup import TRUNKS
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.hop import Hop, Transport
from ringback.telephony.sip.inbound import IncomingCall
from ringback.telephony.sip.locator import Locator
from ringback.telephony.sip.uri import split_host_port
from ringback.trunks.secrecy import SecrecyError

logger = logging.getLogger(__name__)

_PAUSE_S: Final = 5
"""Between two times of the message to those who wait."""


def sources_of(settings: Settings, core: Core) -> Sources:
    trunk, proxies = settings.trunk, list(settings.sip.proxies)
    if trunk.outbound_proxy:
        proxies.append(split_host_port(trunk.outbound_proxy)[0])
    hosts = [*([trunk.host] if trunk.host else []), *trunk.inbound_hosts]
    return Sources(
        core.trunks.active,
        Own(PROVIDER, hosts, proxies, encrypted=trunk.encryption == "required"),
        resolve=_located_by(socket.AF_INET6 if ":" in settings.sip.host else socket.AF_INET),
        clock=core.clock,
        wait=partial(core.wakeup.wait, TRUNKS),
    )


def _located_by(family: socket.AddressFamily) -> Resolver:
    """The addresses of a carrier's name, wherever its SRV records lead: calls come from where calls go."""
    locator = Locator(family)

    async def located(hop: Hop) -> tuple[Hop, ...]:
        found: asyncio.Future[tuple[Hop, ...]] = asyncio.get_running_loop().create_future()
        locator.locate(hop, lambda targets: None if found.done() else found.set_result(targets))
        return await found

    async def resolve(host: str, port: int) -> list[str]:
        hops = [Hop(host, port, Transport.UDP), *(Hop(host, None, transport) for transport in Transport)]
        found = await asyncio.gather(*map(located, hops))
        return list(dict.fromkeys(target.host for targets in found for target in targets))

    return resolve


def reception_of(
    settings: Settings,
    core: Core,
    sources: Sources,
    studio: Studio,
    providers: Providers,
    reservations: Reservations,
    after_call: AfterCall,
    *,
    admits: Callable[[], bool],
    others: Callable[[], int],
    freed: Callable[[], None],
) -> Reception:
    """Of the worker that the studio names; see `Reception`."""
    lease_s = settings.dialling.lease_s
    house = House(
        db=core.db,
        sources=sources,
        numbers=core.numbers,
        agents=core.agents,
        callers=Callers(core.db, core.clock, providers.outbound),
        opening=Opening(core.db, core.ledger, reservations, studio.worker, lease_s),
        desk=Desk(core.ledger, core.clock, studio.worker, studio.prepare, after_call),
        introduce=introduced_by(studio),
        lease_s=lease_s,
        wait=_wait(settings, studio),
    )
    return Reception(
        house,
        capacity=settings.calls_per_worker,
        drain_s=settings.drain_s,
        most_waiting=settings.inbound.queue_places,
        admits=admits,
        others=others,
        freed=freed,
    )


@asynccontextmanager
async def receiving(reception: Reception, sources: Sources, endpoint: Endpoint | None) -> AsyncIterator[None]:
    """Within the block calls are taken; who is no trunk gets nothing."""
    if endpoint is None:
        yield
        return
    with contextlib.suppress(StoreError, SecrecyError):  # `run` tries again, and says so
        await sources.refresh()
    if endpoint.guard is not None:
        endpoint.guard.known = sources.knows

    async def receive(call: IncomingCall) -> None:
        if sources.encrypted(call):
            call.encryption = Encryption.REQUIRED
        await reception.receive(call)

    endpoint.on_invite = receive
    looking = asyncio.create_task(sources.run())
    try:
        yield
    finally:
        endpoint.on_invite = None
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def introduced_by(studio: Studio) -> Introduce:
    def introduce(execution: Execution, ivr_config: str, talker: Talker) -> Talker:
        config = check(IvrConfig, json.loads(ivr_config))
        if not config.enabled:
            return talker
        return IvrTalker(
            config,
            talker,
            menus=partial(menus, studio),
            chosen=partial(_chosen, studio.ledger, studio.worker, execution),
            prepare=studio.prepare,
        )

    return introduce


def _wait(settings: Settings, studio: Studio) -> Wait | None:
    inbound = settings.inbound
    if not inbound.queue_message:
        return None
    # A step that asks for nothing: it says its text, and waits a moment for keys that do not matter.
    step = {
        "step_id": "queue",
        "type": "collect",
        "prompt": inbound.queue_message,
        "num_digits": MAX_DIGITS,
        "finish_on_key": "",
    }
    message = {"steps": [step], "language": inbound.queue_language, "timeout": _PAUSE_S, "max_retries": 0}
    config = check(IvrConfig, message)

    def wait(execution: Execution, has_turn: Callable[[], bool], talker: Talker) -> Talker:
        return WaitingTalker(
            talker,
            message=lambda call: menus(studio, call, config),
            has_turn=has_turn,
            clock=studio.clock,
            longest_s=inbound.queue_s,
        )

    return wait


async def _chosen(
    ledger: Ledger, owner: str, execution: Execution, agent_id: str | None, pressed: Mapping[str, Any]
) -> Execution:
    """Implements `calls.ivr.Chosen`. A record that cannot be written keeps nobody from being talked to."""
    data = {**execution.recipient_data, **pressed}
    where = execution.account_id, execution.id
    try:
        if agent_id is not None:
            return await ledger.reassign(
                *where, agent_id, changes={"recipient_data": data}, number=NUMBER, lease_owner=owner
            )
        if pressed:
            return await ledger.update(
                *where, changes={"recipient_data": data}, number=NUMBER, lease_owner=owner
            )
    except StoreError as error:
        logger.error("what was chosen in call %s could not be written: %s", execution.id, error)
    return replace(execution, agent_id=agent_id or execution.agent_id, recipient_data=data)
