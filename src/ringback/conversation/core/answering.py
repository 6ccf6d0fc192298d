"""How the agent comes by its words: the dialogue's replies, the language model's text, the functions' results."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Any, Final

from ringback.agents.chat import Ask, ToolCall
from ringback.agents.plan import Plan
from ringback.agents.prompts import fill
from ringback.agents.templates import fill_text
from ringback.agents.tools import HttpTool, PressDigits, ToolResult, TransferCall
from ringback.conversation.actions import CancelReply, CancelTool, PressKeys, RunTool, StartReply
from ringback.conversation.core import timing
from ringback.conversation.core.agent_turn import AgentTurn
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.core.phrases import phrases_for
from ringback.conversation.core.timers import Timers
from ringback.conversation.core.transferring import Transferring
from ringback.conversation.dialogue.dialogue import Dialogue, ModelAnswer, Reply
from ringback.conversation.events import Timer
from ringback.media.dtmf_sender import pressable
from ringback.media.leg import HangupCause

_SPACES: Final = str.maketrans(",", "w", " -.")
MAX_STEPS: Final = 20
"""Questions and rounds of functions in one turn; a dialogue that wants more runs in a circle."""


class Progress(Enum):
    """Where an answer stands."""

    GOES_ON = auto()
    """The language model or a function is awaited."""
    SAID = auto()
    """All its words were given to the voice."""
    FAILED = auto()
    """See `Answering.failure`."""


class Answering:
    """Fills one `AgentTurn` at a time. Every step says where the answer stands then."""

    def __init__(
        self,
        plan: Plan,
        dialogue: Dialogue,
        variables: Mapping[str, Any],
        out: Outbox,
        timers: Timers,
        transferring: Transferring,
    ) -> None:
        self._plan = plan
        self._dialogue = dialogue
        self._variables = variables
        self._out = out
        self._timers = timers
        self._transferring = transferring
        self._phrases = phrases_for(plan.synthesizer.language)
        self._turn = AgentTurn(out)
        self._steps = 0
        self._fillers = 0
        self._excuses = 0
        self._ask: Ask | None = None
        self._asked_again = False
        self._pressed = False
        self._said: list[str] = []
        self._runs: dict[int, ToolCall] = {}
        self._results: dict[int, ToolResult] = {}
        self.reply: int | None = None
        """The language model's answer that is under way."""
        self.failure = ""

    @property
    def runs_functions(self) -> bool:
        return len(self._results) < len(self._runs)

    @property
    def irrevocable(self) -> bool:
        """The turn has done something, or is doing it, that cannot be taken back."""
        return self.runs_functions or self._pressed

    @property
    def apology(self) -> str:
        return self._phrases.apology

    def begin(self, turn: AgentTurn, reply: Reply, now: float) -> Progress:
        """Give `turn` the words of a reply of the dialogue's."""
        self._turn = turn
        self._steps = self._excuses = 0
        self._asked_again = self._pressed = False
        return self._perform(reply, now)

    def cancel(self) -> None:
        """Nothing more comes; functions that run are given up."""
        self._timers.cancel(Timer.FILLER)
        self._turn.drop_reply()
        if self.reply is not None:
            self._out.do(CancelReply(self.reply))
            self.reply = None
        for run in self._runs:
            if self._is_transfer(run):
                self._transferring.cancel(run)
            elif run not in self._results:
                self._out.do(CancelTool(run))
        self._forget_runs()

    # The language model

    def reply_text(self, text: str, now: float) -> None:
        self._said.append(text)
        if self._turn.clock is not None:
            self._turn.clock.token(now)
        if self._ask is not None and self._ask.spoken:
            self._turn.hear_reply(text, now)
            if self._turn.spoke:
                self._timers.cancel(Timer.FILLER)

    def reply_done(self, calls: tuple[ToolCall, ...], now: float) -> Progress:
        ask, text = self._end_reply(now), "".join(self._said)
        if ask.spoken and not calls and not any(character.isalnum() for character in text):
            return self._empty(ask, now)
        if ask.spoken:
            self._turn.end_reply(now)
        return self._perform(self._dialogue.answered(ModelAnswer(text.strip(), calls)), now)

    def reply_failed(self, message: str, now: float) -> Progress:
        self._end_reply(now)
        self._turn.drop_reply()
        reply = self._dialogue.unanswered(message)
        if reply is None:
            return self._fail(message)
        self._out.log("llm", message)
        return self._perform(reply, now)

    # Functions

    def tool_done(self, run: int, result: ToolResult, now: float) -> Progress:
        if run in self._runs:
            self._results.setdefault(run, result)
        if self.runs_functions or not self._runs:
            return Progress.GOES_ON
        done = [(call, self._results[number]) for number, call in self._runs.items()]
        self._forget_runs()
        if self._turn.clock is not None:
            self._turn.clock.tools_done(now)
        return self._perform(self._dialogue.results(done), now)

    # Covering a wait

    def filler_due(self, now: float) -> None:
        if self._transferring.waits:
            return
        if self.runs_functions and self._excuses < len(self._phrases.waiting):
            self._turn.say(self._phrases.waiting[self._excuses], now)
            self._excuses += 1
            self._excuse_later(now)
        elif self.reply is not None and not self._turn.spoke:
            self._turn.say(self._phrases.fillers[self._fillers % len(self._phrases.fillers)], now)
            self._fillers += 1

    def _excuse_later(self, now: float) -> None:
        waits = timing.TOOL_FILLERS_S
        if self._excuses < len(waits):
            since = waits[self._excuses - 1] if self._excuses else 0.0
            self._timers.set(Timer.FILLER, now + waits[self._excuses] - since)

    # Steps

    def _perform(self, reply: Reply, now: float) -> Progress:
        self._timers.cancel(Timer.FILLER)
        for entry in reply.log:
            self._out.entry(entry)
        self._turn.say(reply.text, now)
        if reply.ends:
            self._turn.ends = HangupCause.AGENT
        self._steps += 1
        if not reply.ask and not reply.calls:
            return Progress.SAID
        if self._steps > MAX_STEPS:
            return self._fail("The dialogue asked and called without end.")
        if reply.ask:
            return self._start(reply.ask, now)
        return self._run(reply.calls, now)

    def _start(self, ask: Ask, now: float) -> Progress:
        self.reply = self._out.number()
        self._ask = ask
        self._said = []
        self._out.do(StartReply(self.reply, ask))
        if self._turn.clock is not None:
            self._turn.clock.asked(now)
        if self._plan.talk.use_fillers and not self._turn.spoke:
            self._timers.set(Timer.FILLER, now + timing.FILLER_S)
        return Progress.GOES_ON

    def _run(self, calls: tuple[ToolCall, ...], now: float) -> Progress:
        """Side by side. What cannot be called is answered for at once."""
        if self._turn.clock is not None:
            self._turn.clock.tools_began(now)
        self._runs = {self._out.number(): call for call in calls}
        for run, call in self._runs.items():
            wrong = self._start_run(run, call, now)
            if wrong is not None:
                self._results[run] = wrong
        if self.runs_functions:
            self._excuse_later(now)
            return Progress.GOES_ON
        last = next(reversed(self._runs))
        return self.tool_done(last, self._results[last], now)

    def _start_run(self, run: int, call: ToolCall, now: float) -> ToolResult | None:
        """What came of it already."""
        tool = self._plan.tools.get(call.name)
        if isinstance(tool, PressDigits):
            return self._press(call, tool)
        if not isinstance(tool, HttpTool | TransferCall):
            return ToolResult(f"There is no function {call.name!r}.", failed=True)
        if isinstance(tool, TransferCall):
            wrong = self._transferring.begin(run, call, tool)
            if wrong is not None:
                return wrong
        message = fill(tool.pre_call_message, self._variables).strip()
        self._excuses = max(self._excuses, 1) if message else self._excuses
        self._turn.say(message, now)
        if isinstance(tool, HttpTool):
            self._out.do(RunTool(run, call))
        return None

    def _press(self, call: ToolCall, tool: PressDigits) -> ToolResult:
        known = {**self._variables, **self._dialogue.slots, **call.arguments}
        keys = fill_text(tool.digits, known).translate(_SPACES)
        if not pressable(keys):
            self._out.log("tool", f"{call.name}: no keys: {keys[:100]}")
            return ToolResult("Nothing was pressed: digits are 0-9, *, # and w, 100 at most.", failed=True)
        self._pressed = True
        self._out.do(PressKeys(keys))
        self._out.log("tool", f"{call.name}: pressed {keys}")
        return ToolResult(f"Pressed {keys}.")

    def _is_transfer(self, run: int) -> bool:
        return isinstance(self._plan.tools.get(self._runs[run].name), TransferCall)

    def _empty(self, ask: Ask, now: float) -> Progress:
        if self._asked_again:
            return self._fail("The language model gave an empty reply, twice.")
        self._asked_again = True
        self._turn.drop_reply()
        self._out.log("llm", "The language model gave an empty reply and is asked again.")
        return self._start(ask, now)

    def _end_reply(self, now: float) -> Ask:
        assert self._ask is not None
        self.reply = None
        self._timers.cancel(Timer.FILLER)
        if self._turn.clock is not None:
            self._turn.clock.replied(now)
        return self._ask

    def _forget_runs(self) -> None:
        self._runs, self._results = {}, {}

    def _fail(self, message: str) -> Progress:
        self.failure = message
        return Progress.FAILED
