"""What an operator reads of a call's questions and functions, also of those that came to nothing."""

from __future__ import annotations

import asyncio

import pytest

from ringback.agents.plan import TalkSettings
from tests.support.fake_leg import FakeLeg
from tests.support.fake_speech import FakeChat, FakeRunner
from tests.support.stage import CHAT, TOOLS, Stage, say


def told(stage: Stage, component: str) -> list[tuple[str, str]]:
    return [(entry.type, entry.data) for entry in stage.watcher.entries if entry.component == component]


@pytest.mark.parametrize(
    ("runs_s", "chat_s", "component"), [(60.0, 0.1, "tool"), (0.1, 30.0, "llm")], ids=["function", "question"]
)
def test_whoever_is_not_waited_for_any_more_is_told_of(runs_s: float, chat_s: float, component: str) -> None:
    async def leaves(leg: FakeLeg) -> None:
        await leg.left_alone()
        leg.say(say("yes", "please"))
        await asyncio.sleep(4.0)
        leg.hang_up_by_person()

    chat, runner = FakeChat(("note",), "Done.", delay_s=chat_s), FakeRunner(runs_s)
    stage = Stage(CHAT, welcome="Hello.", chat=chat, tools=TOOLS, runner=runner)
    stage.run(leaves)
    (asked, _), (kind, data) = told(stage, component)
    assert (asked, kind) == ("request", "event")
    assert data.startswith("the answer is not waited for any more")


def test_the_question_whether_the_call_is_over_is_told_once() -> None:
    async def says(leg: FakeLeg) -> None:
        await leg.left_alone()
        leg.say(say("yes", "please"))

    stage = Stage(
        CHAT,
        welcome="Hello.",
        chat=FakeChat("Goodbye.", "yes"),
        talk=TalkSettings(hangup_after_llm_call=True),
    )
    stage.run(says)
    assert told(stage, "llm_hangup") == [("response", "is the call over? yes")]
    assert told(stage, "llm") == [("request", "yes please"), ("response", "Goodbye. ")]
