"""An account's trunk as SIP needs it."""

from __future__ import annotations

import pytest

from ringback.app.carriers import sip_trunk
from ringback.media.g711 import Codec
from ringback.telephony.sip.crypto import Encryption
from ringback.telephony.sip.hop import Hop, Transport
from ringback.trunks.gateway import Gateway, Qualified, State
from ringback.trunks.trunk import Registration, Trunk, TrunkFields


def stored(*states: State, **changes: object) -> Trunk:
    """With a gateway in each of these states, which had the priorities 3, 2, 1 ..."""
    gateways = tuple(
        Gateway(f"{place}.example", 5060 + place, len(states) - place) for place in range(len(states))
    )
    given: dict[str, object] = {
        "name": "carrier",
        "provider": "sipp",
        "auth_type": "userpass",
        "auth_username": "joe",
        "auth_password": "open sesame",
        "gateways": gateways,
    }
    fields = TrunkFields(**(given | changes))  # type: ignore[arg-type]
    return Trunk("account", "id", fields, tuple(Qualified(state) for state in states), Registration(), 1, 1)


def test_gateways_go_by_priority_and_those_that_are_down_come_last() -> None:
    way = sip_trunk(stored("up", "unknown", "down"))
    assert [hop.host for hop in way.hops] == ["1.example", "0.example", "2.example"]
    assert [hop.host for hop in sip_trunk(stored("down", "down", "down")).hops] == [
        "2.example",
        "1.example",
        "0.example",
    ]


def test_the_default_port_is_left_to_srv_records() -> None:
    assert sip_trunk(stored("up")).hops == (Hop("0.example", None),)
    assert sip_trunk(stored("up", transport="transport-tls")).hops == (Hop("0.example", None, Transport.TLS),)


def test_who_is_known_by_address_has_no_password() -> None:
    assert sip_trunk(stored("up", auth_type="ip-based")).credentials is None
    credentials = sip_trunk(stored("up")).credentials
    assert credentials is not None
    assert (credentials.username, credentials.password) == ("joe", "open sesame")


@pytest.mark.parametrize(
    ("encryption", "optimistic", "wanted"),
    [
        ("no", False, Encryption.NONE),
        ("no", True, Encryption.NONE),
        ("sdes", False, Encryption.REQUIRED),
        ("sdes", True, Encryption.OPTIONAL),
    ],
)
def test_encryption(encryption: str, optimistic: bool, wanted: Encryption) -> None:
    trunk = stored("up", media_encryption=encryption, media_encryption_optimistic=optimistic)
    assert sip_trunk(trunk).encryption is wanted


@pytest.mark.parametrize(
    ("allow", "codecs"),
    [
        ("ulaw,alaw", (Codec.PCMU, Codec.PCMA)),
        (" ALAW , ulaw ", (Codec.PCMA, Codec.PCMU)),
        ("alaw", (Codec.PCMA,)),
    ],
)
def test_codecs(allow: str, codecs: tuple[Codec, ...]) -> None:
    assert sip_trunk(stored("up", allow=allow)).codecs == codecs
