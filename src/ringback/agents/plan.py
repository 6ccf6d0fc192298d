"""The plan: what an agent definition compiles to, and all that the rest of Ringback sees of an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ringback.agents.chat import ChatSettings
from ringback.agents.tools import Tool


@dataclass(frozen=True, slots=True)
class SpeechPart:
    """Which transcriber or synthesizer, and how; `options` is the provider_config as the client sent it."""

    provider: str
    model: str = ""
    language: str = "en"
    voice: str = ""
    speed: float = 1.0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Keywords:
    """True where any of the words or phrases occurs (whole words, case-insensitive)."""

    any_of: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pattern:
    """True where the regular expression is found (case-insensitive); the value is group 1, else the match."""

    regex: str


@dataclass(frozen=True, slots=True)
class Number:
    """True where a number was said ("forty two", "4 2", "42") within the bounds; the value is the integer.

    With `digits` the number is a code said digit by digit; the value is a string of that many digits.
    """

    minimum: int | None = None
    maximum: int | None = None
    digits: int | None = None


@dataclass(frozen=True, slots=True)
class Date:
    """True where a day was named ("the third of May", "tomorrow", "next Monday"); the value is YYYY-MM-DD."""


@dataclass(frozen=True, slots=True)
class Time:
    """True where a time of day was named ("half past three", "10 a.m."); the value is HH:MM."""


@dataclass(frozen=True, slots=True)
class Affirmative:
    """A yes in the agent's language; the value is true."""


@dataclass(frozen=True, slots=True)
class Negative:
    """A no in the agent's language; the value is false."""


@dataclass(frozen=True, slots=True)
class Anything:
    """Whatever was said; the value is the text."""


@dataclass(frozen=True, slots=True)
class Always:
    """An unconditional edge. Of a router: taken when nothing else matches. Where it is the only edge: taken at once
    by a static node, after the person's next turn by an llm node. Otherwise: taken when nothing else matched after
    the node's reprompts."""


STAY: Final = "stay_on_current_node"
"""The function by which a language model takes no edge; the vendor's name."""


@dataclass(frozen=True, slots=True)
class Llm:
    """True where the language model says so; without one it is guessed from the words."""

    condition: str
    """In the words of the agent's author: "the customer wants to reschedule"."""
    function: str
    """Name of the function that the model calls to take the edge; unique in its node."""
    description: str = ""
    """Told to the model instead of the condition."""
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What the model is to find out on the way: JSON schema by name. They become slots."""


@dataclass(frozen=True, slots=True)
class Event:
    """True when the event of this name is injected from outside; speech never takes it."""

    name: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One line of an expression edge: `variable` is looked up in slots and context."""

    variable: str
    operator: Literal[
        "eq", "neq", "gt", "gte", "lt", "lte", "contains", "in", "not_in", "exists", "not_exists"
    ]
    value: Any = None


@dataclass(frozen=True, slots=True)
class Expression:
    """Comparisons joined by `logic`; checked before anything is heard and again after every turn."""

    logic: Literal["and", "or"]
    conditions: tuple[Comparison, ...]


Heard = Keywords | Pattern | Number | Date | Time | Affirmative | Negative | Anything
"""Conditions on what was said, which need no language model."""
Condition = Heard | Always | Expression | Llm | Event


@dataclass(frozen=True, slots=True)
class Edge:
    to_node_id: str
    condition: Condition
    priority: int = 0
    """Lower is tried first; equal ones in the order of the definition."""
    slots: Mapping[str, Any] = field(default_factory=dict)
    """Slots that taking the edge sets. The value None stands for what the condition found."""


@dataclass(frozen=True, slots=True)
class Node:
    """A place in the graph. A static node says `message`; one without edges says it and hangs up. An llm node is
    talked in by the language model; one without edges goes on talking. A router says nothing and leads on."""

    id: str
    kind: Literal["static", "router", "llm"]
    message: str = ""
    reprompt: str = ""
    """Said when nothing matched; empty: the message again."""
    max_reprompts: int = 2
    prompt: str = ""
    """The system prompt of an llm node; of a router, what it decides."""
    edges: tuple[Edge, ...] = ()
    examples: tuple[str, ...] = ()
    """Sample sentences in the agent's language, for the language model."""
    function: str | None = None
    """A function of the agent that is called when the node is entered."""
    repeat_after_s: float | None = None
    """Silence of the person after which the node speaks again."""


@dataclass(frozen=True, slots=True)
class OtherModel:
    """The language model that is asked where the agent's own fails. No `base_url`: at the installation's endpoint."""

    provider: str
    model: str
    base_url: str | None = None


VariableType = Literal["string", "number", "boolean"]


@dataclass(frozen=True, slots=True)
class GraphPlan:
    """A graph agent. `provider` "scripted" needs no language model; then `chat` and `routing` are None."""

    provider: str
    start: str
    nodes: Mapping[str, Node]
    information: str = ""
    """Stands before the prompt of every llm node."""
    chat: ChatSettings | None = None
    base_url: str | None = None
    language: str = "en"
    """In which the person is understood without a language model."""
    routing: ChatSettings | None = None
    """For the question which edge to take."""
    routing_instructions: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    """Variables that the definition sets."""
    variable_types: Mapping[str, VariableType] = field(default_factory=dict)
    """By name or path."""
    fallback: OtherModel | None = None
    notes: tuple[str, ...] = ()
    """What of the definition is not honoured: a line each for the log."""


@dataclass(frozen=True, slots=True)
class ChatPlan:
    """A simple agent: one system prompt and a language model behind an OpenAI-compatible `base_url`."""

    provider: str
    chat: ChatSettings
    base_url: str | None = None
    system_prompt: str = ""
    fallback: OtherModel | None = None
    notes: tuple[str, ...] = ()
    """What of the definition is not honoured: a line each for the log."""


@dataclass(frozen=True, slots=True)
class VoicemailSettings:
    """task_config's `voicemail*`: the agent finds out who or what took the call."""

    message: str = ""
    """What is said after the beep; empty: the agent hangs up."""
    decide_s: float | None = None
    """There is a verdict so long after the first sound; None: as long as is usual."""
    lasts_s: float = 30.0
    """Until then it may turn out that it is a machine after all."""
    check_interval_s: float = 7.0
    """Who was taken for a person for want of evidence, and talks on, is listened to so often."""
    least_words: int = 7
    """With fewer, nobody who was taken for a person becomes a machine."""


@dataclass(frozen=True, slots=True)
class TalkSettings:
    """task_config, as far as conversations honour it (contract section 7, OAS column)."""

    hangup_after_silence_s: float = 10.0
    incremental_delay_ms: int = 400
    endpointing_ms: int = 250
    number_of_words_for_interruption: int = 2
    call_terminate_s: float = 90.0
    welcome_message_delay_ms: int = 0
    call_hangup_message: str | None = None
    interruption_backoff_period_ms: int = 0
    """After an interruption the agent gives the person so much more time to finish."""
    backchanneling: bool = False
    """The agent says "mhm" while the person talks for long."""
    backchanneling_message_gap_s: float = 5.0
    backchanneling_start_delay_s: float = 5.0
    use_fillers: bool = False
    """A word such as "well" covers the wait for a slow language model."""
    check_if_user_online: bool = True
    trigger_user_online_message_after_s: float = 10.0
    check_user_online_message: str = "Hey, are you still there?"
    hangup_after_llm_call: bool = False
    """After each turn the language model judges whether the conversation is over."""
    call_cancellation_prompt: str | None = None
    """What it is asked for that."""
    ambient_noise_track: str | None = None
    dtmf_enabled: bool = False
    """The person's keys become turns."""
    dtmf_masked: bool = False
    """What they typed is not shown: stars stand in the transcript, the log and the data."""
    voicemail: VoicemailSettings | None = None
    """None: whoever takes the call is taken for a person."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One agent, ready to talk. Texts still hold their `{variables}`; agents/prompts.py fills them."""

    agent_id: str
    name: str
    welcome_message: str
    transcriber: SpeechPart
    synthesizer: SpeechPart
    dialogue: GraphPlan | ChatPlan
    talk: TalkSettings
    tools: Mapping[str, Tool] = field(default_factory=dict)
    """The agent's functions by name."""
    telephony_provider: str = "sip-trunk"
