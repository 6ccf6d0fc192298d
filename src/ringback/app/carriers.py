"""Every trunk that calls leave by: that of the settings, and those of accounts."""

from __future__ import annotations

import secrets

from ringback.media.g711 import Codec
from ringback.media.leg import Carrier, DialRequest, Ended, EndedBy, Leg, Outcome
from ringback.store.database import StoreError
from ringback.telephony.no_trunk import EndedLeg
from ringback.telephony.sip import carrier
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.hop import Transport
from ringback.telephony.sip.uri import bracketed
from ringback.trunks.gateway import by_priority
from ringback.trunks.numbers import Numbers
from ringback.trunks.trunk import Trunk
from ringback.trunks.trunks import Trunks, UnknownTrunk

_TRANSPORTS = {
    "transport-udp": Transport.UDP,
    "transport-tcp": Transport.TCP,
    "transport-tls": Transport.TLS,
}


class _Unusable(Exception):
    """The trunk cannot carry calls; the message says why."""


class Carriers:
    """Implements `media.leg.Carrier`. A trunk is read when it is needed: what was changed holds for the next call."""

    def __init__(self, endpoint: Endpoint, own: Carrier, trunks: Trunks, numbers: Numbers) -> None:
        """`own`: that of the settings."""
        self._endpoint = endpoint
        self._own = own
        self._trunks = trunks
        self._numbers = numbers

    @property
    def name(self) -> str:
        return "sip-trunk"

    def new_call_id(self) -> str:
        return f"{secrets.token_hex(16)}@{bracketed(self._endpoint.address[0])}"

    async def dial(self, request: DialRequest) -> Leg:
        if request.trunk_id is None:
            return await self._own.dial(request)
        try:
            trunk = await self._trunk(request.account_id, request.trunk_id)
            shown = await self._numbers.owned(request.account_id, request.from_number)
        except _Unusable as reason:
            return _ended(request, str(reason))
        except StoreError:
            return _ended(request, "The trunk could not be looked up: the database is not available")
        from_number = request.from_number if shown is None else shown.phone_number
        way = carrier.SipCarrier(self._endpoint, sip_trunk(trunk))
        return await way.dial(
            DialRequest(
                request.call_id,
                trunk.fields.dialled(request.to_number),
                from_number,
                account_id=request.account_id,
                trunk_id=request.trunk_id,
                ring_timeout_s=request.ring_timeout_s,
                headers=request.headers,
                in_time=request.in_time,
            )
        )

    async def _trunk(self, account_id: str, trunk_id: str) -> Trunk:
        try:
            trunk = await self._trunks.get(account_id, trunk_id)
        except UnknownTrunk:
            raise _Unusable(
                "The SIP trunk of the number that the call was to be made from was deleted"
            ) from None
        if not trunk.fields.is_active:
            raise _Unusable(f"The SIP trunk {trunk.fields.name!r} is turned off (is_active)")
        if trunk.unreadable:
            raise _Unusable(trunk.unreadable)
        return trunk


def sip_trunk(trunk: Trunk) -> carrier.Trunk:
    """As SIP needs it: gateways by priority, those that are down after all others."""
    fields = trunk.fields
    state = {gateway: how.state for gateway, how in zip(fields.gateways, trunk.qualified, strict=True)}
    gateways = sorted(by_priority(fields.gateways), key=lambda gateway: state[gateway] == "down")
    first = gateways[0]
    return carrier.Trunk(
        host=first.address,
        port=first.port,
        username=fields.auth_username or "" if fields.auth_type == "userpass" else "",
        password=fields.auth_password or "",
        transport=_TRANSPORTS[fields.transport],
        gateways=tuple((gateway.address, gateway.port) for gateway in gateways),
        encryption=_encryption(trunk),
        codecs=tuple(Codec[name] for name in fields.codecs),
    )


def _encryption(trunk: Trunk) -> Encryption:
    if trunk.fields.media_encryption == "no":
        return Encryption.NONE
    return Encryption.OPTIONAL if trunk.fields.media_encryption_optimistic else Encryption.REQUIRED


def _ended(request: DialRequest, why: str) -> EndedLeg:
    ended = Ended(Outcome.ERROR, EndedBy.ERROR, "Carrier unable to reach bolna", 3090, detail=why)
    return EndedLeg(request.call_id, ended)
