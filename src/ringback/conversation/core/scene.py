"""What is going on in one conversation: its phase, who speaks, and what they have said so far."""

from __future__ import annotations

from ringback.conversation.actions import AddTurn
from ringback.conversation.core.agent_turn import AgentTurn
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.core.phase import Phase
from ringback.conversation.core.timers import Timers
from ringback.conversation.core.utterance import Utterance
from ringback.conversation.core.voice import Voice
from ringback.conversation.transcript import Turn


class Scene:
    """Shared by the parts of the core, which all see the same moment."""

    def __init__(self) -> None:
        self.out = Outbox()
        self.timers = Timers(self.out)
        self.voice = Voice(self.out)
        self.phase = Phase.RINGING
        self.now = 0.0
        self.answered_at = 0.0
        self.speaking = False
        """The person makes sounds that are speech."""
        self.on_hold = False
        """The far end put us on hold."""
        self.away = False
        """Somebody else has the person: see `transferring`."""
        self.typing = False
        """Keys were pressed that are not answered yet: see `keypad`."""
        self.person: Utterance | None = None
        """What the person says, until the agent is heard answering it."""
        self.agent: AgentTurn | None = None
        self.turns: list[Turn] = []

    @property
    def over(self) -> bool:
        """The leg has ended, or will at once: nobody is left to talk to."""
        return self.phase in (Phase.HANGING_UP, Phase.ENDED)

    @property
    def held(self) -> bool:
        """Nobody listens to the agent."""
        return self.on_hold or self.away

    @property
    def idle(self) -> bool:
        """Nobody speaks, and it is the person's turn."""
        busy = self.person is not None or self.agent is not None or self.speaking or self.held or self.typing
        return self.phase is Phase.TALKING and not busy

    def settle(self) -> None:
        """What the person said stands: it goes into the transcript."""
        if self.person is not None:
            turn = self.person.turn(self.answered_at)
            self.person = None
            if turn is not None:
                self.add(turn)

    def settle_answered(self) -> None:
        """The same, if the agent is answering it: it can no more be taken back."""
        if self.person is not None and self.person.answered:
            self.settle()

    def add(self, turn: Turn) -> None:
        self.turns.append(turn)
        self.out.do(AddTurn(turn))
