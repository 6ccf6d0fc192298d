"""The trunk: whether it is there, whether it knows us, and how it sees us."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from ringback.app.doctor import faults
from ringback.app.doctor.finding import Faulty, Finding
from ringback.app.doctor.probe import PATIENCE_S, Probe, Reply
from ringback.app.doctor.way import Way
from ringback.clock import Clock
from ringback.telephony.sip.carrier import Trunk

DRIFT_S: Final = 5.0
"""A Date header has whole seconds, and the answer took its time."""


async def reached(
    way: Trunk, host: str, patience_s: float = PATIENCE_S, tls: ssl.SSLContext | None = None
) -> tuple[Probe, Reply]:
    """The trunk's answer to an OPTIONS from `host`. Raises Faulty without one, or with one that refuses us."""
    probe = Probe(way, host, patience_s, tls)
    address = await probe.look_up()
    if ipaddress.ip_address(host).is_loopback and not ipaddress.ip_address(address).is_loopback:
        raise Faulty(faults.LOOPBACK, host=host, address=probe.address)
    reply = await probe.ask("OPTIONS")
    _accepted(way, probe, reply)
    return probe, reply


def _accepted(way: Trunk, probe: Probe, reply: Reply) -> None:
    status, address = _status(reply), probe.address
    if reply.status in (401, 407):
        raise _unproven(way, address, reply)
    if reply.status == 403:
        raise Faulty(faults.ADDRESS_REFUSED, address=address, ours=reply.local[0], status=status)
    if reply.status == 503:
        raise Faulty(faults.TRUNK_BUSY, address=address, status=status)


def _unproven(way: Trunk, address: str, reply: Reply) -> Faulty:
    if way.credentials is None:
        return Faulty(faults.NO_CREDENTIALS, address=address)
    return Faulty(faults.WRONG_PASSWORD, address=address, username=way.username, status=_status(reply))


async def known(way: Trunk, probe: Probe) -> Finding:
    """Whether the trunk takes our user name and password. Raises Faulty where it does not."""
    check = "credentials"
    if way.credentials is None:
        return Finding.skipped(check, "No user name is set: the trunk must know us by our address.")
    reply = await probe.ask("REGISTER")
    facts = {"address": probe.address, "username": way.username, "status": _status(reply)}
    if reply.status in (401, 407) or (reply.status == 403 and reply.proven):
        raise Faulty(faults.WRONG_PASSWORD, **facts)
    if reply.status in (403, 404):
        raise Faulty(faults.UNKNOWN_USER, **facts)
    if reply.status >= 300 or not reply.proven:
        return Finding.skipped(
            check, f"The trunk did not ask for a password ({_status(reply)}); a call (--call) shows more."
        )
    lines = len(reply.response.headers.all("Contact"))
    return Finding.ok(
        check, f"The trunk accepts the password of {way.username}; {lines} addresses are registered."
    )


def registered(way: Way, clock: Clock) -> list[Finding]:
    """What the worker that registers the trunk says of it; nothing of one that does not register."""
    check, how = "registration", way.registration
    if how.state == "failing":
        error = how.error or f"answered {how.code}"
        return [Finding.of(check, faults.NOT_REGISTERED, name=way.name, error=error.rstrip("."))]
    if how.state is None:
        return []
    left_s = ((how.until or 0) - clock.now_us()) / 1e6
    return [Finding.ok(check, f"It is registered for {how.contact} for {left_s:.0f} s more.")]


def seen(reply: Reply, external: str, clock: Clock) -> list[Finding]:
    """What the answer says of us: our clock, and the address that we come from."""
    return [_clock(reply, clock), _address(reply, external)]


def _clock(reply: Reply, clock: Clock) -> Finding:
    check, date = "clock", reply.response.headers.get("Date")
    try:
        theirs = parsedate_to_datetime(date or "")
    except ValueError:
        return Finding.skipped(check, "The trunk does not say what time it is.")
    if theirs.tzinfo is None:
        theirs = theirs.replace(tzinfo=UTC)
    drift = clock.now_us() / 1e6 - theirs.timestamp()
    if abs(drift) > DRIFT_S:
        direction = "ahead of" if drift > 0 else "behind"
        return Finding.of(check, faults.CLOCK, seconds=f"{abs(drift):.0f}", direction=direction)
    return Finding.ok(
        check, f"This machine's clock agrees with the trunk's ({datetime.now(UTC):%H:%M:%S} UTC)."
    )


def _address(reply: Reply, external: str) -> Finding:
    check, via = "address", reply.response.via
    told = external or reply.local[0]
    received, rport = via.param("received"), via.param("rport")
    if received and received != told:
        return Finding.of(check, faults.NAT_ADDRESS, seen=received, told=told)
    if rport and rport != str(reply.local[1]):
        return Finding.of(check, faults.NAT_PORT, seen=rport, told=reply.local[1])
    return Finding.ok(check, f"The trunk sees us at {told}.")


def _status(reply: Reply) -> str:
    return f"{reply.status} {reply.response.reason}".strip()
