"""The agents of simulated calls: plans with every setting of a talk, and dialogues that do all that a dialogue may."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from ringback.agents.chat import Ask, ChatMessage, ChatSettings, ToolCall, ToolSpec
from ringback.agents.plan import (
    Always,
    Anything,
    ChatPlan,
    Edge,
    Event,
    GraphPlan,
    Keywords,
    Llm,
    Node,
    Number,
    Plan,
    SpeechPart,
    TalkSettings,
    VoicemailSettings,
)
from ringback.agents.tools import EndCall, HttpTool, PressDigits, Tool, ToolResult, TransferCall
from ringback.conversation.dialogue.chat import ChatDialogue
from ringback.conversation.dialogue.dialogue import Dialogue, Expectation, ModelAnswer, Reply
from ringback.conversation.dialogue.graph import GraphDialogue

OUTSIDE: Final = ("paid", "moved", "ignored")
"""Events that are injected; the last one changes nothing."""
GRAPH: Final = GraphPlan(
    "scripted",
    "ask",
    {
        "ask": Node("ask", "static", "May I ask you something now?", edges=(Edge("count", Anything()),)),
        "count": Node(
            "count",
            "static",
            "How many of you will come on that day?",
            "Please say a number.",
            1,
            edges=(Edge("end", Number(), slots={"people": None}), Edge("route", Always())),
        ),
        "route": Node("route", "router", edges=(Edge("more", Always()),)),
        "more": Node(
            "more",
            "static",
            "Is there anything else that we can do for you?",
            edges=(Edge("end", Keywords(("seven",))), Edge("more", Anything(), priority=5)),
        ),
        "end": Node("end", "static", "Thank you for your time, and goodbye."),
    },
)
_MODEL: Final = ChatSettings("m")
MODEL_GRAPH: Final = GraphPlan(
    "local",
    "talk",
    {
        "talk": Node(
            "talk",
            "llm",
            prompt="Find out what they want.",
            edges=(
                Edge(
                    "booking", Llm("They want to book.", "to_booking", parameters={"day": {"type": "string"}})
                ),
                Edge("which", Llm("They complain.", "to_which")),
                Edge("end", Event(OUTSIDE[0]), priority=1),
            ),
            repeat_after_s=4.0,
        ),
        "booking": Node(
            "booking",
            "static",
            "I book it now.",
            edges=(Edge("end", Keywords(("stop",))), Edge("talk", Anything(), priority=5)),
            function="book",
            repeat_after_s=2.0,
        ),
        "which": Node(
            "which",
            "router",
            "Decide.",
            edges=(Edge("talk", Llm("They are calm.", "to_talk")), Edge("end", Always(), priority=5)),
        ),
        "end": Node("end", "static", "Thank you for your time, and goodbye."),
    },
    chat=_MODEL,
    routing=_MODEL,
)
CHAT: Final = ChatPlan("local", ChatSettings("m"), None, "Be kind to {name}.")
_OBJECT: Final[Mapping[str, Any]] = {"type": "object", "properties": {}}


def _http(name: str, message: str = "") -> HttpTool:
    return HttpTool(ToolSpec(name, name, _OBJECT), "http://example.com", "GET", pre_call_message=message)


_DIALOGUES: Final[Sequence[GraphPlan | ChatPlan]] = (GRAPH, MODEL_GRAPH, CHAT, CHAT)
TOOLS: Final[Mapping[str, Tool]] = {
    "look": _http("look"),
    "book": _http("book", "I am booking it for {name}."),
    "send": _http("send", "{unknown}"),
    "press": PressDigits(ToolSpec("press", "", _OBJECT), "1w2#"),
    "end_call": EndCall(ToolSpec("end_call", "Hang up.", _OBJECT)),
    "hand_over": TransferCall(
        ToolSpec("hand_over", "", _OBJECT), "+1", pre_call_message="I connect you now."
    ),
    "refer": TransferCall(ToolSpec("refer", "", _OBJECT), "+1", blind=True),
}
MESSAGE: Final = "You have missed us. Call us back, {name}."
CALLABLE: Final = ("look", "look", "book", "book", "send", "send", "nonsense", "press", "hand_over", "refer")
TEXTS: Final = (
    "Very well.",
    "I see what you mean. Let us go on with that, shall we? There is more.",
    "And what is your name, please?",
    "That costs 42 dollars and 5 cents, with delivery; without it, less.",
    "...",
)


def make_plan(chance: random.Random) -> Plan:
    talk = TalkSettings(
        hangup_after_silence_s=chance.choice([3.0, 10.0]),
        incremental_delay_ms=chance.choice([100, 400, 900]),
        endpointing_ms=chance.choice([100, 250, 700]),
        number_of_words_for_interruption=chance.choice([0, 1, 2, 3]),
        call_terminate_s=chance.choice([5.0, 30.0, 90.0]),
        welcome_message_delay_ms=chance.choice([0, 0, 500, 1000]),
        call_hangup_message=chance.choice([None, "Goodbye then."]),
        interruption_backoff_period_ms=chance.choice([0, 0, 100, 1000]),
        backchanneling=chance.random() < 0.3,
        backchanneling_message_gap_s=chance.choice([0.0, 1.0, 3.0]),
        backchanneling_start_delay_s=chance.choice([0.0, 1.0, 3.0]),
        use_fillers=chance.random() < 0.5,
        check_if_user_online=chance.random() < 0.5,
        trigger_user_online_message_after_s=chance.choice([0.0, 2.0, 3.0, 10.0, 20.0]),
        check_user_online_message=chance.choice(["", "Are you there, {name}?", "{unknown}"]),
        hangup_after_llm_call=chance.random() < 0.3,
        call_cancellation_prompt=chance.choice([None, "Is it over?"]),
        dtmf_enabled=chance.random() < 0.5,
        voicemail=_voicemail(chance) if chance.random() < 0.2 else None,
    )
    dialogue = chance.choice(_DIALOGUES)
    welcome = chance.choice(["", "Hello {name}, this is the clinic that called you."])
    part = SpeechPart("local")
    tools = TOOLS if dialogue is MODEL_GRAPH or chance.random() < 0.7 else {}
    return Plan("a", "b", welcome, part, part, dialogue, talk, tools)


def _voicemail(chance: random.Random) -> VoicemailSettings:
    return VoicemailSettings(
        message=chance.choice(["", MESSAGE, MESSAGE]),
        decide_s=chance.choice([None, 1.0, 8.0]),
        lasts_s=chance.choice([2.0, 30.0]),
        check_interval_s=chance.choice([0.0, 7.0]),
        least_words=chance.choice([0, 7]),
    )


def make_dialogue(plan: Plan, chance: random.Random) -> Dialogue:
    """What the plan says, or one that does as it likes."""
    if plan.tools and chance.random() < 0.4:
        return AnyDialogue(random.Random(chance.random()))
    if isinstance(plan.dialogue, ChatPlan):
        return ChatDialogue(plan.dialogue, plan.tools, {"name": "Ada"})
    return GraphDialogue(plan.dialogue, plan.tools, {"name": "Ada"}, date(2026, 11, 24))


class AnyDialogue:
    """Says, asks, calls and ends by chance, and holds the core to the order that `Dialogue` promises."""

    context: Mapping[str, Any] = {}
    slots: Mapping[str, Any] = {}

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._waiting: str | tuple[ToolCall, ...] = ""
        self._calls = 0
        self.repeat_after_s: float | None = None

    def opening(self) -> Reply:
        return self._reply() if self._chance.random() < 0.5 else self._wait_for(Reply())

    def answer(self, text: str) -> Reply:
        return self._reply()

    def answered(self, answer: ModelAnswer) -> Reply:
        assert self._waiting == "ask", "answered without having asked"
        if answer.calls:
            ends = any(call.name == "end_call" for call in answer.calls)
            return self._wait_for(Reply(ends=True) if ends else Reply(calls=answer.calls))
        return self._wait_for(Reply()) if self._chance.random() < 0.8 else self._reply()

    def unanswered(self, message: str) -> Reply | None:
        assert self._waiting == "ask", "unanswered without having asked"
        return None if self._chance.random() < 0.5 else self._reply()

    def results(self, results: Sequence[tuple[ToolCall, ToolResult]]) -> Reply:
        assert tuple(call for call, _ in results) == self._waiting, "results of something else"
        return self._reply()

    def inject(self, name: str, properties: Mapping[str, Any]) -> Reply | None:
        return None if name == OUTSIDE[-1] else self._reply()

    def repeat(self) -> Reply | None:
        return None if self._chance.random() < 0.2 else self._wait_for(Reply("I said something."))

    def judge(self, text: str) -> Expectation:
        return tuple(Expectation)[len(text) % len(Expectation)]

    def fills(self, keys: str) -> bool:
        return len(keys) == 3

    def heard(self, text: str) -> None: ...

    def mark(self) -> object:
        return self._waiting

    def rewind(self, mark: object) -> None:
        assert isinstance(mark, str | tuple)
        self._waiting = mark

    def _reply(self) -> Reply:
        chance = self._chance
        self.repeat_after_s = chance.choice([None, 1.0, 4.0, 15.0])
        text = chance.choice(["", *TEXTS])
        kind = chance.choice(["say", "say", "ask", "route", "call", "end"])
        ends = kind == "end" or chance.random() < 0.02
        if kind in ("ask", "route"):
            messages = (ChatMessage("system", "You route."), ChatMessage("user", "x"))
            tools = tuple(tool.spec for tool in TOOLS.values())
            return self._wait_for(Reply(text, Ask(messages, _MODEL, tools, spoken=kind == "ask"), ends=ends))
        if kind == "call":
            names = chance.choices(CALLABLE, k=chance.choice([1, 1, 2, 3]))
            calls = tuple(ToolCall(f"c{place}", name, {}) for place, name in enumerate(names, self._calls))
            self._calls += len(calls)
            return self._wait_for(Reply(text, calls=calls, ends=ends))
        return self._wait_for(Reply(text, ends=ends))

    def _wait_for(self, reply: Reply) -> Reply:
        self._waiting = "ask" if reply.ask else reply.calls
        return reply
