"""Handing the person over to somebody else: one transfer at a time, and the agent silent while it is theirs."""

from __future__ import annotations

from ringback.agents.chat import ToolCall
from ringback.agents.tools import ToolResult, TransferCall
from ringback.conversation import actions, events
from ringback.conversation.core import timing
from ringback.conversation.core.absence import Absence
from ringback.conversation.core.scene import Scene
from ringback.conversation.events import Timer


class Transferring:
    """A function of the agent's that runs until it has failed or the agent's part in the call is over.

    Attended: the other telephone is called at once; when its person has answered and the agent has said what it had to
    say, the two are joined. Blind: when the agent has said that, the network is asked to move the call.
    """

    def __init__(self, scene: Scene, absence: Absence) -> None:
        self._scene = scene
        self._absence = absence
        self._run: int | None = None
        self._call: ToolCall | None = None
        """Of a blind one that has not begun."""
        self._ready = False
        """It waits for the agent's last word."""
        self._left_s = 0.0
        """Of the longest call, when the person left."""

    def begin(self, run: int, call: ToolCall, tool: TransferCall) -> ToolResult | None:
        """What is wrong with it, None for nothing."""
        if self._run is not None:
            return ToolResult("The call is being transferred already: one at a time.", failed=True)
        self._run, self._ready = run, tool.blind
        self._call = call if tool.blind else None
        if not tool.blind:
            self._scene.out.do(actions.Transfer(run, call))
        return None

    def answered(self, event: events.TransferAnswered) -> None:
        if event.run == self._run:
            self._ready = True
            self.consider()

    def consider(self) -> None:
        """Hand the person over, if the time has come."""
        scene, agent = self._scene, self._scene.agent
        if self._run is None or not self._ready or agent is None or scene.away or scene.over:
            return
        if agent.speaks or scene.voice.flushing:
            return
        agent.rest()
        if scene.person is not None and scene.person.text is not None:
            scene.settle()  # it was said to whoever comes now
        self._absence.leave()
        self._left_s = max(0.0, (scene.timers.at(Timer.MAX_DURATION) or scene.now) - scene.now)
        scene.timers.set(Timer.MAX_DURATION, scene.now + timing.AWAY_S)
        scene.out.log("system", "call handed over")
        scene.out.do(
            actions.Bridge(self._run) if self._call is None else actions.Transfer(self._run, self._call)
        )

    def failed(self, run: int) -> None:
        """The person is the agent's again."""
        if run != self._run:
            return
        self._run = None
        scene = self._scene
        if scene.away:
            if scene.agent is not None:
                scene.agent.go_on()
            scene.timers.set(Timer.MAX_DURATION, scene.now + self._left_s)
            self._absence.come_back()

    def over(self, run: int) -> bool:
        """Whether it took place, so that the agent has nothing left to do in the call."""
        if run != self._run:
            return False
        self._run = None
        return True

    @property
    def waits(self) -> bool:
        """For nothing but the agent's last word, and then for the person to be given back."""
        return self._run is not None and self._ready

    def cancel(self, run: int) -> None:
        if run == self._run:
            self._run = None
            if self._call is None or self._scene.away:
                self._scene.out.do(actions.CancelTransfer(run))
