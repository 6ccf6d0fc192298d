"""Whether the conversation is over, judged by the language model after each turn of the agent's
(contract 7, `hangup_after_LLMCall`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ringback.agents.chat import Ask, ChatMessage, ChatSettings
from ringback.agents.plan import ChatPlan, Plan
from ringback.conversation.actions import CancelReply, StartReply
from ringback.conversation.core.outbox import Outbox
from ringback.conversation.transcript import LogEntry, Turn

_QUESTION: Final = (
    "You watch a telephone call between an assistant and a user. Say whether it is over: the user said goodbye, or"
    " everything is settled and neither side has anything left to say. Answer with the one word yes or no."
)
_TURNS: Final = 20
"""Of the conversation's end that the model is shown."""


class HangupJudge:
    """At most one question at a time; whoever speaks before the verdict makes it void."""

    def __init__(self, plan: Plan, out: Outbox) -> None:
        self._out = out
        self._question = (plan.talk.call_cancellation_prompt or "").strip() or _QUESTION
        self._settings: ChatSettings | None = None
        dialogue = plan.dialogue
        chat = dialogue.chat if plan.talk.hangup_after_llm_call else None
        if chat is not None and (isinstance(dialogue, ChatPlan) or dialogue.provider != "scripted"):
            self._settings = replace(chat, temperature=0.0, max_tokens=max(chat.max_tokens, 20))
        self._said: list[str] = []
        self.reply: int | None = None

    def ask(self, turns: list[Turn]) -> None:
        """Ask about the conversation so far, if the agent is configured so."""
        if self._settings is None or not any(turn.role == "user" for turn in turns):
            return
        self.cancel()
        talk = "\n".join(f"{turn.role}: {turn.text}" for turn in turns[-_TURNS:])
        messages = (ChatMessage("system", self._question), ChatMessage("user", talk))
        self._said = []
        self.reply = self._out.number()
        ask = Ask(messages, self._settings, spoken=False, logged=False, purpose="hangup")
        self._out.do(StartReply(self.reply, ask))

    def cancel(self) -> None:
        if self.reply is not None:
            self._out.do(CancelReply(self.reply))
            self.reply = None

    def hear(self, text: str) -> None:
        self._said.append(text)

    def verdict(self) -> bool:
        """The answer is complete: is the call over?"""
        self.reply = None
        said = "".join(self._said).strip()
        over = said.lower().lstrip("\"'*{ ").startswith(("yes", "true"))
        self._out.entry(LogEntry("response", "llm_hangup", f"is the call over? {said}"))
        return over

    def failed(self, message: str) -> None:
        """Without a verdict the call goes on."""
        self.reply = None
        self._out.entry(LogEntry("error", "llm_hangup", message))
