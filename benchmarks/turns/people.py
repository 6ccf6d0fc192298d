"""The people of the calls: a process of its own with a SIP endpoint.

    python -m benchmarks.turns.people FOLDER PORT

FOLDER/scripts.json says, by the called number, what to do in a call. Each call ends with FOLDER/<number>.wav, and a
line of JSON on standard output: {"event": "over", "number", "said": [...]}.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.turns import labels
from benchmarks.turns.labels import Manner, Segment, Utterance
from benchmarks.turns.render import Rendered, render
from benchmarks.turns.telephone import Behaviour, Telephone, answering, remarking
from ringback.media.leg import Ended, HangupCause, Leg
from ringback.media.rtp_stream import PortRange
from ringback.media.ticker import Ticker
from ringback.telephony.sip.endpoint import Endpoint
from ringback.telephony.sip.inbound import IncomingCall

_PROMPT: Final = "Please go on with it."


class People:
    """What they may say, and the calls they are in."""

    def __init__(self, folder: Path, ticker: Ticker) -> None:
        self._folder = folder
        self._ticker = ticker
        self._scripts: dict[str, dict[str, Any]] = json.loads((folder / "scripts.json").read_text())
        wanted = {name for script in self._scripts.values() for name in script["ids"]}
        known = (*labels.utterances(), *labels.backchannels(), *labels.interruptions())
        self._rendered = {one.id: render(one) for one in known if one.id in wanted}

    async def take(self, call: IncomingCall) -> None:
        number = re.findall(r"\+?(\d+)@", call.called)[0]
        call.ring()
        leg = await call.answer()
        over = asyncio.Event()
        telephone = Telephone(leg, self._behaviour(self._scripts[number]), over.set)
        self._ticker.add(telephone)
        ended = asyncio.create_task(_end(leg))
        ended.add_done_callback(lambda _: over.set())
        await over.wait()
        await leg.hangup(HangupCause.AGENT)
        await ended
        self._ticker.remove(telephone)
        await asyncio.to_thread(telephone.save, self._folder / f"{number}.wav")
        tell("over", number=number, said=[asdict(one) for one in telephone.said])

    def _behaviour(self, script: dict[str, Any]) -> Behaviour:
        said = [self._rendered[name] for name in script["ids"]]
        if script["part"] == "turns":
            return answering(said, script["seed"])
        return remarking(said, _prompt(said[0]), script["part"] == "interruptions", script["seed"])


def _prompt(like: Rendered) -> Rendered:
    """What is said when the agent's turn is over, as the first remark is said."""
    manner = like.utterance.manner
    clear = Manner(manner.voice, 1.0, 0.0, manner.noise, 30.0)
    return render(Utterance("prompt", like.utterance.split, clear, (Segment(_PROMPT, 0),)))


async def _end(leg: Leg) -> None:
    while not isinstance(await leg.next_event(), Ended):
        pass


def tell(event: str, **facts: Any) -> None:
    print(json.dumps({"event": event, **facts}), flush=True)


async def main(folder: Path, port: int) -> None:
    """Take calls until killed."""
    ticker = Ticker()
    people = await asyncio.to_thread(People, folder, ticker)
    endpoint = await Endpoint.open("127.0.0.1", port, PortRange(30000, 39999))
    endpoint.on_invite = people.take
    tell("listening")
    await ticker.run()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
