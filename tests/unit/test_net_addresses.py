"""Which addresses are public, and which of the others the operator has allowed."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.net.addresses import Allowed, BadEntry, is_public

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::10.0.0.1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%1",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "168.63.129.17",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.1",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001:800::200e",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_private(address: str) -> None:
    assert not is_public(ip_address(address))
    assert not Allowed().permits("host.example", ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(ip_address(address))
    assert Allowed().permits("host.example", ip_address(address))


@given(st.ip_addresses())
def test_never_more_lenient_than_the_standard_library(address: IPv4Address | IPv6Address) -> None:
    carried = getattr(address, "ipv4_mapped", None) or address
    if not (carried.is_global and not carried.is_multicast) and not str(address).startswith("64:ff9b::"):
        assert not is_public(address)


@given(st.ip_addresses(v=4))
def test_an_address_is_the_same_in_each_disguise(address: IPv4Address) -> None:
    for disguise in (f"::ffff:{address}", f"64:ff9b::{address}"):
        assert is_public(ip_address(disguise)) is is_public(address)


ALLOWED = Allowed(["10.0.0.0/8", "192.168.7.7", "fd00::/8", "CRM.internal.", "localhost", "x1"])


@pytest.mark.parametrize(
    ("host", "address", "permitted"),
    [
        ("a.example", "10.1.2.3", True),
        ("a.example", "::ffff:10.1.2.3", True),
        ("a.example", "11.1.2.3", True),
        ("a.example", "192.168.7.7", True),
        ("a.example", "192.168.7.8", False),
        ("a.example", "fd12::1", True),
        ("a.example", "fc12::1", False),
        ("crm.internal", "192.168.1.1", True),
        ("crm.INTERNAL.", "127.0.0.1", True),
        ("evil.crm.internal", "192.168.1.1", False),
        ("crm.internal.evil", "192.168.1.1", False),
        ("localhost", "::1", True),
        ("localhost.evil.example", "127.0.0.1", False),
        ("x1", "127.0.0.1", True),
    ],
)
def test_what_the_operator_allowed(host: str, address: str, permitted: bool) -> None:
    assert ALLOWED.permits(host, ip_address(address)) is permitted


@pytest.mark.parametrize(
    "entry", ["", "10.0.0.5/8", "10.0.0.256", "10.0.0.0/33", "a b", "http://h", "*.h", "1"]
)
def test_bad_entries_are_named(entry: str) -> None:
    with pytest.raises(BadEntry) as raised:
        Allowed([entry])
    assert f'"{entry}"' in str(raised.value)
