"""The speech process and its clients, with the real models."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from wyoming.client import AsyncClient
from wyoming.info import Describe, Info

from ringback.conversation.core.barge_in import SURE
from ringback.media.frame import SAMPLE_RATE, Samples
from ringback.media.speech import SpeechError, Voice, WordEnds
from ringback.speech.server import serve
from ringback.speech.settings import SpeechServerSettings
from ringback.speech.wyoming import WyomingSynthesizer, WyomingTranscriber
from tests.support.speech_process import speech_process


@pytest.fixture(scope="module")
def uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("speech")
    uri = f"unix://{folder}/speech.sock"
    with speech_process(uri, folder):
        yield uri


async def pieces_of(uri: str, text: str, voice: Voice | None = None) -> tuple[list[Samples], list[WordEnds]]:
    pieces = [piece async for piece in WyomingSynthesizer(uri).synthesize(text, voice or Voice())]
    ends = [piece for piece in pieces if isinstance(piece, WordEnds)]
    return [piece for piece in pieces if not isinstance(piece, WordEnds)], ends


async def spoken(uri: str, text: str, voice: Voice | None = None) -> Samples:
    return np.concatenate((await pieces_of(uri, text, voice))[0])


@pytest.mark.parametrize("rate", [8000, 16000])
async def test_what_is_spoken_is_understood(uri: str, rate: int) -> None:
    audio = await spoken(uri, "Can you tell me the opening hours on Saturday?")
    heard = await WyomingTranscriber(uri, rate=rate).transcribe(audio, "en")
    assert heard.text == "Can you tell me the opening hours on Saturday?"
    assert heard.audio_ms == len(audio) * 1000 // SAMPLE_RATE
    assert heard.finality is not None
    assert -3.0 < heard.finality <= 0.0
    assert heard.confidence is not None
    assert SURE < heard.confidence <= 0.0


async def test_many_at_once_get_their_own_answers(uri: str) -> None:
    words = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"]
    audios = await asyncio.gather(*(spoken(uri, f"Is {word} possible for you?") for word in words))
    transcriber = WyomingTranscriber(uri)
    heard = await asyncio.gather(*(transcriber.transcribe(audio, "en") for audio in audios))
    assert [word in text.text for word, text in zip(words, heard, strict=True)] == [True] * len(words)


async def test_a_text_comes_sentence_by_sentence(uri: str) -> None:
    text = "Good morning. This is the dentist. Are you coming tomorrow?"
    pieces, _ = await pieces_of(uri, text)
    assert len(pieces) >= 3
    assert all(piece.dtype == np.int16 for piece in pieces)


async def test_it_tells_where_the_words_end_over_all_sentences(uri: str) -> None:
    first, second = "Good morning, Ms. Jones.", "You owe $42.50."
    pieces, [ends] = await pieces_of(uri, f"{first} {second}")
    alone = [await pieces_of(uri, sentence) for sentence in (first, second)]
    shift = sum(map(len, alone[0][0])) * 1000 // SAMPLE_RATE
    assert ends.ends_ms == (*alone[0][1][0].ends_ms, *(shift + end for end in alone[1][1][0].ends_ms))
    assert len(ends.ends_ms) == 7
    assert 0 < ends.ends_ms[0] < ends.ends_ms[-1] < sum(map(len, pieces)) * 1000 // SAMPLE_RATE


async def test_speed_shortens_and_a_sentence_sounds_the_same_every_time(uri: str) -> None:
    text = "This takes a little while to say."
    normal, again, fast = [await spoken(uri, text, Voice(speed=speed)) for speed in (1.0, 1.0, 1.5)]
    assert np.array_equal(normal, again)
    assert len(fast) < 0.8 * len(normal)


@pytest.mark.parametrize(
    ("voice", "sentence"),
    [
        (Voice(name="nobody"), "has no voice 'nobody'; it has 'heart'"),
        (Voice(language="hi"), "speaks English, not 'hi'"),
        (Voice(speed=9.0), "speaks at speed 0.5 to 2.0, not 9"),
    ],
)
async def test_what_it_cannot_say_is_one_sentence(uri: str, voice: Voice, sentence: str) -> None:
    with pytest.raises(SpeechError, match=sentence):
        await spoken(uri, "Hello.", voice)


async def test_an_unknown_language_is_one_sentence(uri: str) -> None:
    audio = await spoken(uri, "Hello there.")
    with pytest.raises(SpeechError, match=r"doesn't know <\|xx\|>"):
        await WyomingTranscriber(uri).transcribe(audio, "xx")


async def test_leaving_a_synthesis_early_leaves_the_server_free(uri: str) -> None:
    long_text = " ".join(f"This is sentence number {number} of very many." for number in range(900, 1050))
    pieces = WyomingSynthesizer(uri).synthesize(long_text, Voice())
    await anext(pieces)
    await pieces.aclose()
    async with asyncio.timeout(1.0):
        assert len(await spoken(uri, "And this one comes at once."))


async def test_it_describes_itself(uri: str) -> None:
    async with AsyncClient.from_uri(uri) as client:
        await client.write_event(Describe().event())
        event = await client.read_event()
    assert event is not None
    info = Info.from_event(event)
    assert [program.models[0].name for program in info.asr] == ["base"]
    assert {"en", "de", "hi"} <= set(info.asr[0].models[0].languages)
    assert [program.voices[0].name for program in info.tts] == ["heart"]


async def test_junk_ends_only_its_own_connection(uri: str) -> None:
    for junk in (b"GET / HTTP/1.1\r\n\r\n", b"[]\n", b"{}\n", b'{"type": "synthesize"}\n', b"\xff" * 100_000):
        reader, writer = await asyncio.open_unix_connection(uri.removeprefix("unix://"))
        writer.write(junk)
        writer.write_eof()
        async with asyncio.timeout(5):
            await reader.read()
        writer.close()
    assert len(await spoken(uri, "Still here."))


@pytest.mark.parametrize("text", ["", "   ", "...", "!?", "🙂", "\n\n"])
async def test_a_text_without_words_is_no_error(uri: str, text: str) -> None:
    audio, _ = await pieces_of(uri, text)
    assert sum(len(piece) for piece in audio) < SAMPLE_RATE


async def test_endless_text_is_refused_and_a_long_one_lets_others_in_between(uri: str) -> None:
    with pytest.raises(SpeechError, match="up to 10000 characters"):
        await spoken(uri, "word " * 2001)
    long = asyncio.create_task(spoken(uri, "and so on and on " * 300))
    await asyncio.sleep(0.1)
    await spoken(uri, "A short one.")
    assert not long.done()
    await long


async def test_a_client_that_hangs_up_has_its_transcriptions_dropped(uri: str) -> None:
    audio = await spoken(uri, "This is a rather long sentence, which takes a while to understand completely.")
    transcriber = WyomingTranscriber(uri)
    requests = [asyncio.create_task(transcriber.transcribe(audio, "en")) for _ in range(40)]
    await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)
    async with asyncio.timeout(2.0):  # forty would take eight seconds
        assert (await transcriber.transcribe(audio, "en")).text


async def test_cancelling_ends_it_with_clients_connected(tmp_path: Path) -> None:
    (tmp_path / "speech.sock").write_text("left by a crash")
    uri = f"unix://{tmp_path}/speech.sock"
    ready = asyncio.Event()
    serving = asyncio.create_task(serve(uri, SpeechServerSettings(tmp_path), ready.set))
    async with asyncio.timeout(30):
        await ready.wait()
        assert (tmp_path / "speech.sock").stat().st_mode & 0o777 == 0o600
        async with AsyncClient.from_uri(uri) as client:
            await client.write_event(Describe().event())
            assert await client.read_event() is not None
            serving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await serving
            assert await client.read_event() is None


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("unix:///no/such/folder/speech.sock", "cannot listen on unix:.*: No such file or directory"),
        ("stdio://", "neither unix:///path nor tcp://host:port"),
    ],
)
async def test_an_address_it_cannot_use_is_one_sentence(tmp_path: Path, uri: str, sentence: str) -> None:
    with pytest.raises(SpeechError, match=sentence):
        await serve(uri, SpeechServerSettings(tmp_path), lambda: None)


async def test_tcp_serves_as_well(tmp_path: Path, unused_tcp_port: int) -> None:
    uri = f"tcp://127.0.0.1:{unused_tcp_port}"
    with speech_process(uri, tmp_path):
        assert len(await spoken(uri, "Over the network."))
