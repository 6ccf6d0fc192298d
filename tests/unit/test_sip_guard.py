"""Which messages are worth a look, by their source, in virtual time."""

from __future__ import annotations

import pytest

from ringback.telephony.sip.guard import NEVER, Bucket, Guard, Limits
from tests.support.sip_world import answer, peer_request

TRUNK, STRANGER = "192.0.2.9", "198.51.100.7"


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def guard(time: Time) -> Guard:
    return Guard(time, Limits(messages=100, messages_burst=200, beginnings=10, beginnings_burst=20))


INVITE = peer_request("INVITE", 1, sdp="sendrecv").encode()
REGISTER = peer_request("REGISTER", 1).encode()
BYE = peer_request("BYE", 2, to_tag="ours").encode()
ACK = peer_request("ACK", 1).encode()
OK = answer(peer_request("INVITE", 1), 200).encode()


def scan(agent: str = "friendly-scanner") -> bytes:
    return peer_request("OPTIONS", 1, User_Agent=agent).encode()


def admitted(guard: Guard, data: bytes, host: str, count: int) -> int:
    return sum(not guard.judge(data, host) for _ in range(count))


def test_a_bucket_fills_at_its_rate() -> None:
    bucket = Bucket(rate=2, burst=3, now=0)
    assert [bucket.take(0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert bucket.take(0.25) == pytest.approx(0.25)
    assert bucket.take(0.5) == 0
    assert [bucket.take(100) for _ in range(4)] == [0, 0, 0, 0.5]


@pytest.mark.parametrize("data", [INVITE, REGISTER, b"\r\n" + REGISTER, b"m x\r\nt: <sip:a@b>\r\n\r\n"])
def test_a_flood_of_beginnings_costs_its_sender(guard: Guard, time: Time, data: bytes) -> None:
    assert admitted(guard, data, TRUNK, 1_000) == 20
    time.now += 1
    assert admitted(guard, data, TRUNK, 1_000) == 10
    assert guard.refused == 1_970


def test_the_calls_of_a_flooding_source_go_on(guard: Guard) -> None:
    assert admitted(guard, INVITE, TRUNK, 100) == 20
    assert admitted(guard, BYE, TRUNK, 30) == 30
    assert admitted(guard, ACK, TRUNK, 30) == 30
    assert admitted(guard, OK, TRUNK, 30) == 30
    assert admitted(guard, OK, TRUNK, 100) == 10  # and that has an end too


def test_long_messages_cost_more(guard: Guard) -> None:
    long = peer_request("BYE", 2, to_tag="ours", Subject="x" * 8_000).encode()
    assert admitted(guard, long, TRUNK, 200) < 40


def test_other_sources_are_not_touched(guard: Guard) -> None:
    admitted(guard, INVITE, STRANGER, 1_000)
    assert admitted(guard, INVITE, TRUNK, 20) == 20


def test_forged_sources_share_a_bucket(guard: Guard) -> None:
    hosts = [f"198.51.{a}.{b}" for a in range(4) for b in range(250)]
    assert sum(admitted(guard, INVITE, host, 1) for host in hosts) == 80
    guard.talks_to(TRUNK)
    assert admitted(guard, INVITE, TRUNK, 5) == 5


def test_where_callers_are_known_strangers_get_nothing(guard: Guard) -> None:
    guard.known = lambda host: host == TRUNK
    assert guard.judge(INVITE, STRANGER) == NEVER
    assert guard.judge(OK, STRANGER) == 0  # its branch cannot be guessed
    assert guard.judge(INVITE, TRUNK) == 0
    guard.talks_to(STRANGER)
    assert guard.judge(INVITE, STRANGER) == 0


@pytest.mark.parametrize(
    "agent", ["friendly-scanner", "SIPVicious v0.3", "sipcli/v1.8", "pplsip", "VaxSIPUserAgent/3.1", "Nmap"]
)
def test_a_scanner_is_not_heard_again_and_for_longer_each_time(guard: Guard, time: Time, agent: str) -> None:
    assert guard.judge(scan(agent), STRANGER) == NEVER
    assert guard.judge(OK, STRANGER) == NEVER
    time.now += 61
    assert guard.judge(OK, STRANGER) == 0
    assert guard.judge(scan(agent), STRANGER) == NEVER
    time.now += 61
    assert guard.judge(OK, STRANGER) == NEVER
    time.now += 60
    assert guard.judge(OK, STRANGER) == 0
    for _ in range(20):
        guard.ban(STRANGER)
    time.now += 3_601
    assert guard.judge(OK, STRANGER) == 0


def test_a_handshake_costs_as_much_as_a_beginning(guard: Guard) -> None:
    assert sum(guard.greets(STRANGER) for _ in range(30)) == 20
    assert guard.judge(INVITE, STRANGER) > 0
    assert guard.greets(TRUNK)
    guard.known = TRUNK.__eq__
    assert guard.stranger(STRANGER)
    assert not guard.greets("198.51.100.8")
    assert guard.greets(TRUNK)
    guard.ban(TRUNK)
    assert not guard.greets(TRUNK)


def test_a_scanner_s_name_in_the_sender(guard: Guard) -> None:
    data = REGISTER.replace(b"From: <sip:peer", b'From: "sipvicious" <sip:100')
    assert data != REGISTER
    assert guard.judge(data, STRANGER) == NEVER


def test_ordinary_agents_and_words_are_no_scanner(guard: Guard) -> None:
    for agent in ("Asterisk PBX 20", "kamailio (5.8)", "Zoiper rv2", "Telnyx", "FPBX-16(18.1)", "baresip"):
        assert guard.judge(scan(agent), TRUNK) == 0
    subject = peer_request("INVITE", 1, Subject="about the friendly-scanner").encode()
    assert guard.judge(subject, TRUNK) == 0


def test_whoever_we_talk_to_cannot_be_banned_by_a_forger(guard: Guard, time: Time) -> None:
    guard.talks_to(TRUNK)
    assert guard.judge(scan(), TRUNK) == 0
    time.now += 3_601
    assert guard.judge(scan(), TRUNK) == NEVER


def test_memory_has_a_bound(time: Time) -> None:
    guard = Guard(time)
    for number in range(30_000):
        guard.judge(OK, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        guard.talks_to(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(guard._sources) == 10_000
    assert len(guard._talked_to) <= 10_000
