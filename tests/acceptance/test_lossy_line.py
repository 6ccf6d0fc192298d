"""The demo's call over a line that loses 5 % of the audio's packets and delays each by up to 80 ms."""

from __future__ import annotations

import asyncio

import pytest

from ringback.demo.check import checks
from ringback.demo.run import Facts, run
from tests.support.lossy_line import LossyLine
from tests.support.lossy_proxy import Network

pytestmark = pytest.mark.realtime

BAD_LINE = Network(loss=0.05, delay_s=(0.0, 0.08))


def test_the_transcript_loses_at_most_every_tenth_word() -> None:
    async def call() -> tuple[Facts, float]:
        async with LossyLine.open(BAD_LINE, seed=7) as line:

            def way(port: int) -> int:
                line.peer_port = port
                return line.port

            facts = await run(lambda what, text: None, way)
        faces = (line.audio.left, line.audio.right)
        assert min(face.forwarded for face in faces) > 1000, "the audio passed the line, both ways"
        return facts, sum(face.lost for face in faces) / sum(face.lost + face.forwarded for face in faces)

    facts, lost = asyncio.run(call())
    assert 0.03 < lost < 0.07
    seen = {check.name: check for check in checks(facts)}
    assert seen["it completed"].passed, seen["it completed"].seen
    assert seen["words of the person"].passed, seen["words of the person"].seen
    assert seen["lengths agree"].passed, seen["lengths agree"].seen
