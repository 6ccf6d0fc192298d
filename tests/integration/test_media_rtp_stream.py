"""RTP streams over real sockets on loopback: clean, through a bad network, and under hostile datagrams."""

import asyncio
import contextlib
import os
import random
import socket

import numpy as np
import pytest

from ringback.media.dtmf import TelephoneEvent
from ringback.media.frame import FRAME_SAMPLES
from ringback.media.g711 import Codec
from ringback.media.leg import Digit
from ringback.media.rtp import RtpPacket
from ringback.media.rtp_stream import NoPortError, PortRange, RtpStream
from ringback.media.ticker import Ticker
from tests.support.lossy_proxy import LossyProxy, Network

pytestmark = pytest.mark.realtime

HOST = "127.0.0.1"
PORTS = PortRange(21000, 29000)
LOUD = 9000
DTMF = 101


def numbered(index):
    """A frame that carries its number in signs, which either law keeps.

    They stand at the end: after a loss the beginning is blended. What is made up is not so loud there.
    """
    bits = [LOUD if index >> bit & 1 else -LOUD for bit in range(16)]
    return np.array([LOUD] * (FRAME_SAMPLES - 17) + bits + [LOUD], np.int16)


def number_of(frame):
    """None for silence and for what was made up."""
    if abs(int(frame[-1]) - LOUD) > 500:
        return None
    return sum(1 << bit for bit in range(16) if frame[FRAME_SAMPLES - 17 + bit] > 0)


class Talker:
    """A ticker member that sends numbered frames and notes what it hears."""

    def __init__(self, stream):
        self.stream, self.sent, self.heard = stream, 0, []

    def tick(self):
        number = number_of(self.stream.read_frame())
        if number is not None:
            self.heard.append(number)
        self.stream.write_frame(numbered(self.sent))
        self.sent += 1

    def settle(self): ...

    def skip(self, ticks):
        for _ in range(ticks):
            self.stream.read_frame()

    def failed(self, error):
        raise error


class Talk:
    """Two streams that talk until one of them has said enough."""

    def __init__(self, *streams):
        self.talkers = [Talker(stream) for stream in streams]

    async def run(self, ticks):
        ticker, done = Ticker(phases=1), asyncio.Event()
        for talker in self.talkers:
            ticker.add(talker)
        ticker.after(lambda: done.set() if self.talkers[0].sent >= ticks else None)
        task = asyncio.create_task(ticker.run())
        try:
            await asyncio.wait_for(done.wait(), ticks * 0.02 + 10)
        finally:
            ticker.stop()
            await task


class Peer:
    """A raw socket that writes RTP by hand."""

    def __init__(self, stream, ssrc=1):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((HOST, 0))
        self.socket.setblocking(False)
        self.address = self.socket.getsockname()
        self.stream, self.ssrc, self.sequence, self.timestamp = stream, ssrc, 0, 0

    def send(self, payload=b"\xff" * 160, payload_type=0, timestamp=None):
        self.sequence += 1
        if timestamp is None:
            self.timestamp = timestamp = self.timestamp + FRAME_SAMPLES
        packet = RtpPacket(payload_type, self.sequence, timestamp, self.ssrc, payload)
        self.raw(packet.serialize())

    def raw(self, data):
        self.socket.sendto(data, (HOST, self.stream.local_port))

    def received(self):
        packets = []
        with contextlib.suppress(BlockingIOError):
            while True:
                packets.append(RtpPacket.parse(self.socket.recv(2048)))
        return packets


async def until(condition):
    """Let the loop take what waits in its sockets until the condition holds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (turns of the loop, no naps)
            await asyncio.sleep(0)


@pytest.fixture
async def opened():
    streams, digits = [], []

    async def open_stream():
        streams.append(await RtpStream.open(HOST, PORTS, digits.append))
        return streams[-1]

    open_stream.digits = digits
    yield open_stream
    for stream in streams:
        stream.close()


@pytest.fixture
async def heard_by(opened):
    """A connected stream and the peer that it is connected to."""
    stream = await opened()
    peer = Peer(stream)
    stream.connect(peer.address, Codec.PCMU, DTMF)
    stream.read_frame()
    yield stream, peer
    peer.socket.close()


@pytest.mark.parametrize("codec", Codec)
async def test_what_one_says_the_other_hears_whole_and_in_order(opened, codec):
    left, right = await opened(), await opened()
    left.connect((HOST, right.local_port), codec, DTMF)
    right.connect((HOST, left.local_port), codec, DTMF)
    talk = Talk(left, right)
    await talk.run(40)
    for talker in talk.talkers:
        assert talker.heard == list(range(len(talker.heard)))
        assert len(talker.heard) >= 35
        statistics = talker.stream.statistics()
        assert statistics.packets_lost == statistics.packets_late == statistics.packets_rejected == 0


async def test_a_network_that_loses_doubles_and_reorders(opened):
    left, right = await opened(), await opened()
    network = Network(loss=0.05, duplication=0.05, delay_s=(0.0, 0.06))
    async with LossyProxy((HOST, left.local_port), (HOST, right.local_port), network, seed=11) as proxy:
        left.connect(proxy.left.address, Codec.PCMU, None)
        right.connect(proxy.right.address, Codec.PCMU, None)
        talk = Talk(left, right)
        await talk.run(200)
        await asyncio.sleep(0.08)  # the longest delay: what is still on its way
        for talker, face in zip(talk.talkers, (proxy.right, proxy.left), strict=True):
            statistics = talker.stream.statistics()
            assert face.lost > 0
            assert statistics.packets_received == face.forwarded
            assert face.lost - 5 <= statistics.packets_lost <= face.lost
            assert statistics.packets_duplicated > 0
            assert talker.heard == sorted(set(talker.heard))
            assert len(talker.heard) + statistics.packets_late >= face.forwarded - 15
            assert len(talker.heard) > 0.85 * face.forwarded
            assert 5 < statistics.jitter_ms < 40


async def test_before_connect_it_hears_and_sends_nothing(opened):
    stream = await opened()
    peer = Peer(stream)
    peer.send()
    stream.write_frame(numbered(1))
    await asyncio.sleep(0)
    assert not stream.read_frame().any()
    assert stream.statistics().packets_sent == 0
    assert stream.statistics().last_received is None
    peer.socket.close()


async def test_audio_from_before_anybody_listened_delays_nothing(opened):
    stream = await opened()
    peer = Peer(stream)
    stream.connect(peer.address, Codec.PCMU, DTMF)
    for index in range(30):
        peer.send(Codec.PCMU.encode(numbered(index)))
    await until(lambda: stream.statistics().packets_received == 30)
    heard = [number_of(stream.read_frame())]
    peer.send(Codec.PCMU.encode(numbered(30)))
    await until(lambda: stream.statistics().packets_received == 31)
    heard += [number_of(stream.read_frame()) for _ in range(3)]
    assert heard == [None, None, None, 30]
    peer.socket.close()


async def test_keys_are_reported_once_and_are_no_audio(heard_by, opened):
    stream, peer = heard_by
    for end in (False, False, True, True, True):
        peer.send(TelephoneEvent(9, end, 10, 800).serialize(), DTMF, timestamp=800)
    peer.send()
    await until(lambda: stream.statistics().packets_received == 6)
    assert opened.digits == [Digit("9", 100)]
    assert stream.statistics().buffer_frames == 3


async def test_packets_on_the_wire_have_marker_sequence_and_time(heard_by):
    stream, peer = heard_by
    for index in range(3):
        stream.write_frame(numbered(index))
    stream.pause(sending=False)
    for index in range(2):
        stream.write_frame(numbered(index))
    stream.pause(sending=True)
    stream.write_frame(numbered(9))
    packets = peer.received()
    first = packets[0]
    assert [packet.marker for packet in packets] == [True, False, False, True]
    assert [(packet.sequence_number - first.sequence_number) % 2**16 for packet in packets] == [0, 1, 2, 3]
    assert [(packet.timestamp - first.timestamp) % 2**32 for packet in packets] == [0, 160, 320, 800]
    assert {packet.ssrc for packet in packets} == {first.ssrc}
    assert all(packet.payload_type == 0 and len(packet.payload) == 160 for packet in packets)


async def test_it_answers_to_where_the_peer_really_sends_from(opened):
    stream = await opened()
    behind_nat = Peer(stream)
    stream.connect(("127.0.0.1", 9), Codec.PCMU, None)
    for _ in range(5):
        behind_nat.send()
    await until(lambda: stream.statistics().packets_received == 3)
    stream.write_frame(numbered(1))
    assert len(behind_nat.received()) == 1
    behind_nat.socket.close()


async def test_a_stranger_is_neither_heard_nor_answered(heard_by):
    stream, peer = heard_by
    peer.send()
    await until(lambda: stream.statistics().packets_received == 1)
    stranger = Peer(stream, ssrc=2)
    for _ in range(10):
        stranger.send()
    await until(lambda: stream.statistics().packets_rejected == 10)
    stream.write_frame(numbered(1))
    assert stream.statistics().packets_received == 1
    assert len(peer.received()) == 1
    assert stranger.received() == []
    stranger.socket.close()


async def test_connect_again_moves_the_call(heard_by):
    stream, peer = heard_by
    peer.send()
    await until(lambda: stream.statistics().packets_received == 1)
    elsewhere = Peer(stream, ssrc=77)
    stream.connect(elsewhere.address, Codec.PCMA, DTMF)
    elsewhere.send(payload_type=8)
    await until(lambda: stream.statistics().packets_received == 2)
    stream.write_frame(numbered(1))
    assert [packet.payload_type for packet in elsewhere.received()] == [8]
    assert peer.received() == []
    assert stream.statistics().packets_lost == 0
    elsewhere.socket.close()


async def test_connect_again_to_the_same_keeps_the_learned_address(opened):
    stream = await opened()
    behind_nat = Peer(stream)
    for _ in range(2):
        stream.connect(("127.0.0.1", 9), Codec.PCMU, None)
        for _ in range(3):
            behind_nat.send()
        await until(lambda: stream.statistics().packets_received >= 1)
    await until(lambda: stream.statistics().packets_received == 4)
    stream.write_frame(numbered(1))
    assert len(behind_nat.received()) == 1
    behind_nat.socket.close()


async def test_comfort_noise_is_a_sign_of_life(heard_by):
    stream, peer = heard_by
    peer.send(b"\x40", 13)
    await until(lambda: stream.statistics().last_received is not None)
    assert stream.statistics().buffer_frames == 0


async def test_nothing_that_a_stranger_or_the_peer_sends_raises(heard_by):
    stream, peer = heard_by
    failures = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))
    source = random.Random(7)
    good = RtpPacket(0, 1, 160, 1, b"\xff" * 160, csrc=(1, 2), padding=4).serialize()
    for number in range(2000):
        data = bytearray(good if number % 2 else RtpPacket(DTMF, 1, 1, 1, b"\x01\x80\x00\x10").serialize())
        for _ in range(source.randrange(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        peer.raw(bytes(data[: source.randrange(len(data) + 1)]) if number % 3 else os.urandom(number % 1400))
        if number % 20 == 0:
            await asyncio.sleep(0)
            assert stream.read_frame().shape == (FRAME_SAMPLES,)
    peer.ssrc, peer.sequence = 99, 30000
    before = stream.statistics().packets_received
    peer.send()
    await until(lambda: stream.statistics().packets_received > before)
    assert failures == []


async def test_an_unreachable_peer_does_not_close_the_socket(heard_by):
    stream, peer = heard_by
    stream.connect(("255.255.255.255", 9), Codec.PCMU, None)  # EACCES: no broadcast permission
    stream.write_frame(numbered(1))
    assert stream.statistics().send_errors == 1
    stream.connect(peer.address, Codec.PCMU, None)
    stream.write_frame(numbered(2))
    assert len(peer.received()) == 1


@pytest.mark.parametrize("remote", [("sip.example.com", 4000), (HOST, 0), (HOST, 65536)])
async def test_an_impossible_remote_address_is_refused(heard_by, remote):
    with pytest.raises(ValueError, match=r"address|port"):
        heard_by[0].connect(remote, Codec.PCMU, None)


async def test_ports_are_even_and_freed_again():
    ports = PortRange(30001, 30006)
    streams = [await RtpStream.open(HOST, ports, print) for _ in range(3)]
    assert sorted(stream.local_port for stream in streams) == [30002, 30004, 30006]
    with pytest.raises(NoPortError, match=r"no free RTP port on 127\.0\.0\.1 in 30001-30006"):
        await RtpStream.open(HOST, ports, print)
    for stream in streams:
        stream.close()
        stream.close()
    stream = await RtpStream.open(HOST, ports, print)
    stream.close()
    stream.write_frame(numbered(1))
    assert not stream.read_frame().any()


async def test_an_address_that_is_not_ours_is_a_clear_error():
    with pytest.raises(NoPortError, match=r"cannot bind RTP on 192\.0\.2\.1.*check the media address"):
        await RtpStream.open("192.0.2.1", PORTS, print)


@pytest.mark.parametrize(("low", "high"), [(0, 100), (5000, 4000), (60000, 70000), (5001, 5001)])
def test_a_useless_port_range_is_refused(low, high):
    with pytest.raises(ValueError, match="RTP ports"):
        PortRange(low, high)
