"""The clients against servers that are foreign, slow, broken or absent."""

import asyncio
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from wyoming.asr import Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error

from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import SpeechError, Transcription, Voice, WordEnds
from ringback.speech.word_ends_event import WordEndsEvent
from ringback.speech.wyoming import WyomingSynthesizer, WyomingTranscriber
from tests.support.wyoming_peer import Peer, wyoming_peer

AUDIO = (8000 * np.sin(np.arange(SAMPLE_RATE) * 0.3)).astype(np.int16)


def transcriber(uri: str) -> WyomingTranscriber:
    return WyomingTranscriber(uri, provider="box", model="small", connect_timeout_s=0.3, timeout_s=0.3)


async def spoken(uri: str, **timeouts: float) -> list[Samples]:
    limits = {"connect_timeout_s": 0.3, "first_timeout_s": 0.3, "timeout_s": 0.3} | timeouts
    synthesizer = WyomingSynthesizer(uri, provider="box", **limits)
    pieces = synthesizer.synthesize("Hello.", Voice(speed=1.2))
    return [piece async for piece in pieces if not isinstance(piece, WordEnds)]


async def silent(peer: Peer) -> None:
    await peer.gone()


async def hangs_up(peer: Peer) -> None:
    await peer.reader.read(10)


async def junk(peer: Peer) -> None:
    peer.writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
    await peer.gone()


async def not_an_event(peer: Peer) -> None:
    peer.writer.write(b'{"no": "type"}\n')
    await peer.gone()


async def refuses(peer: Peer) -> None:
    await peer.say(Error("no GPU today"))
    await peer.gone()


FAULTS = [
    (silent, "(did not transcribe within 0.3 s|did not speak in time)"),
    (hangs_up, "broke off"),
    (junk, "broke off or sent what is not a Wyoming event"),
    (not_an_event, "broke off or sent what is not a Wyoming event"),
    (refuses, "refused: no GPU today"),
]


@pytest.mark.parametrize(("script", "sentence"), FAULTS)
async def test_a_server_at_fault_is_one_sentence_in_time(tmp_path: Path, script, sentence) -> None:  # type: ignore[no-untyped-def]
    async with wyoming_peer(tmp_path, script) as uri:
        begun = time.monotonic()
        with pytest.raises(SpeechError, match=f"^The speech server 'box' {sentence}"):
            await transcriber(uri).transcribe(AUDIO, "en")
        with pytest.raises(SpeechError, match=f"^The speech server 'box' {sentence}"):
            await spoken(uri)
        assert time.monotonic() - begun < 2.0


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        (
            "unix:///no/such/socket",
            r"cannot be reached at unix:///no/such/socket \(No such file or directory\)",
        ),
        ("http://127.0.0.1:9", "is neither unix:///path nor tcp://host:port"),
        ("tcp://127.0.0.1", "is neither unix:///path nor tcp://host:port"),
    ],
)
async def test_no_server_is_one_sentence(uri: str, sentence: str) -> None:
    with pytest.raises(SpeechError, match=sentence):
        await transcriber(uri).transcribe(AUDIO, "en")
    with pytest.raises(SpeechError, match=sentence):
        await spoken(uri)


async def test_a_refused_port_is_one_sentence(unused_tcp_port: int) -> None:
    with pytest.raises(SpeechError, match=r"cannot be reached at tcp://.*is it running"):
        await transcriber(f"tcp://127.0.0.1:{unused_tcp_port}").transcribe(AUDIO, "en")


async def test_a_foreign_transcriber_gets_16_khz_and_its_chatter_is_ignored(tmp_path: Path) -> None:
    peers: list[Peer] = []

    async def script(peer: Peer) -> None:
        peers.append(peer)
        await peer.hear("audio-stop")
        await peer.say(AudioStart(16000, 2, 1), Transcript("  Good day. "))

    async with wyoming_peer(tmp_path, script) as uri:
        heard = await transcriber(uri).transcribe(AUDIO, "en")
    assert heard == Transcription("Good day.", 1000, finality=None, confidence=None)
    asked, start, *chunks, _ = peers[0].heard
    assert asked.data == {"name": "small", "language": "en"}
    assert (start.data["rate"], start.data["width"], start.data["channels"]) == (16000, 2, 1)
    assert sum(len(chunk.payload or b"") for chunk in chunks) == 2 * 16000


@pytest.mark.parametrize(("rate", "channels"), [(22050, 1), (24000, 2), (8000, 1), (48000, 1)])
async def test_a_foreign_voice_of_any_format_becomes_8_khz(tmp_path: Path, rate: int, channels: int) -> None:
    mono = (8000 * np.sin(2 * np.pi * 300 * np.arange(rate) / rate)).astype("<i2")
    pcm = np.repeat(mono, channels).tobytes()

    async def script(peer: Peer) -> None:
        await peer.hear("synthesize")
        chunks = [pcm[start : start + 4096] for start in range(0, len(pcm), 4096)]
        await peer.say(AudioStart(rate, 2, channels))
        await peer.say(*(AudioChunk(rate, 2, channels, chunk) for chunk in chunks))
        await peer.say(AudioStop())
        await peer.gone()

    async with wyoming_peer(tmp_path, script) as uri:
        audio = np.concatenate(await spoken(uri, timeout_s=5.0))
    expected = 8000 * np.sin(2 * np.pi * 300 * np.arange(SAMPLE_RATE) / SAMPLE_RATE)
    assert len(audio) == SAMPLE_RATE
    np.testing.assert_allclose(audio[100:-100], expected[100:-100], atol=100)


async def test_a_voice_that_stops_midway_ends_in_time(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(AudioStart(8000, 2, 1), AudioChunk(8000, 2, 1, bytes(1600)))
        await peer.gone()

    async with wyoming_peer(tmp_path, script) as uri:
        with pytest.raises(SpeechError, match="did not speak in time"):
            await spoken(uri)


@pytest.mark.parametrize(
    ("ends", "expected"),
    [([200, 200, 900], (200, 200, 900)), ([300, 200], ()), (["x"], ()), ({}, ()), (None, ()), ([], ())],
)
async def test_word_ends_that_make_no_sense_are_none(tmp_path: Path, ends: Any, expected: Any) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(WordEndsEvent(ends), AudioChunk(8000, 2, 1, bytes(1600)), AudioStop())
        await peer.gone()

    async with wyoming_peer(tmp_path, script) as uri:
        pieces = [piece async for piece in WyomingSynthesizer(uri).synthesize("Hello.", Voice())]
    assert pieces[0] == WordEnds(expected)
    assert len(pieces) == 2


async def test_word_ends_are_not_yet_audio(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.say(WordEndsEvent([100]))
        await peer.gone()

    async with wyoming_peer(tmp_path, script) as uri:
        with pytest.raises(SpeechError, match="did not speak in time"):
            await spoken(uri, timeout_s=60.0)


async def test_the_callers_own_time_is_not_the_servers(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        for _ in range(3):
            await peer.say(AudioChunk(8000, 2, 1, bytes(1600)))
        await peer.say(AudioStop())
        await peer.gone()

    async with wyoming_peer(tmp_path, script) as uri:
        synthesizer = WyomingSynthesizer(uri, first_timeout_s=0.3, timeout_s=0.3)
        pieces = 0
        async for _ in synthesizer.synthesize("Hello.", Voice()):
            await asyncio.sleep(0.2)  # a slow caller: together longer than the server's time
            pieces += 1
    assert pieces == 3


async def test_cancelling_hangs_up(tmp_path: Path) -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.hear("audio-stop")
        asked.set()
        await peer.gone()
        gone.set()

    async with wyoming_peer(tmp_path, script) as uri, asyncio.timeout(5):
        request = asyncio.create_task(WyomingTranscriber(uri).transcribe(AUDIO, "en"))
        await asked.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await gone.wait()
