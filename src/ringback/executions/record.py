"""The record of a call as values. Times are microseconds since the epoch, UTC; money is in 1e-4 cents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal, TypedDict

from ringback.executions.lifecycle import Status
from ringback.executions.transfer import Transfer

CUT_MARK: Final = " —"
"""After the words of a turn in which the other side cut the speaker short."""

CENT: Final = 10_000
"""Units of money in a cent."""

MOST_AFTER_CALL_TRIES: Final = 5
"""Of the work after a call, after the first. Who takes the call over (its lease runs out, each time later) counts them
in the attempt; with the last, at the earliest an hour after the call, the stage in hand is given up."""


class AttemptState(StrEnum):
    """Where one dial stands in the queue; what became of the call is its `status`."""

    WAITING = "waiting"
    CLAIMED = "claimed"
    DIALLING = "dialling"
    LIVE = "live"
    DONE = "done"
    UNKNOWN = "unknown"
    """Its worker was lost: whether somebody talked is not known, and it is never dialled again."""


class UsageKind(StrEnum):
    """The five legs of a bill."""

    LLM = "llm"
    NETWORK = "network"
    PLATFORM = "platform"
    SYNTHESIZER = "synthesizer"
    TRANSCRIBER = "transcriber"


UsageUnit = Literal["ms", "characters", "input_tokens", "output_tokens"]

UsagePurpose = Literal[
    "conversation",
    "welcome_message",
    "extraction",
    "summarization",
    "dispositions",
    "hangup",
    "routing",
    "voicemail",
    "transfer",
]


@dataclass(frozen=True, slots=True)
class CostBreakdown:
    """What a call cost, in 1e-4 cents."""

    llm: int = 0
    network: int = 0
    platform: int = 0
    synthesizer: int = 0
    transcriber: int = 0

    @property
    def total(self) -> int:
        return self.llm + self.network + self.platform + self.synthesizer + self.transcriber


@dataclass(frozen=True, slots=True)
class NewExecution:
    """A call to be made, or one to us. Without `scheduled_at`, or with one in the past, it is due at once."""

    account_id: str
    agent_id: str
    to_number: str
    """E.164: who is called."""
    from_number: str | None
    """None: the trunk's own; of a call to us: withheld."""
    provider: str
    """`telephony_data.provider`, e.g. "sip-trunk"."""
    hosted_telephony: bool = False
    """The operator's shared trunk, not the user's own."""
    trunk_id: str | None = None
    """Of the account's trunk; None: the operator's."""
    recipient_data: Mapping[str, Any] = field(default_factory=dict)
    """The prompt's variables, as the client sent them."""
    agent_data: Mapping[str, Any] = field(default_factory=dict)
    """What this one call changes of the agent (contract 8: `voice_id`)."""
    scheduled_at: int | None = None
    retry_config: Mapping[str, Any] | None = None
    batch_id: str | None = None
    line: int | None = None
    """Of the batch's file, from 1."""
    bypass_guardrails: bool = False
    """Dialled whatever the agent's calling hours say."""
    call_type: Literal["inbound", "outbound"] = "outbound"
    id: str | None = None
    """None: a new one."""


@dataclass(frozen=True, slots=True)
class Execution:
    """One row of `executions`, without its rendered body."""

    account_id: str
    id: str
    agent_id: str
    seq: int
    """Unique and rising in the account, never changed: the order of lists, and the time of creation."""
    batch_id: str | None
    status: Status
    call_type: Literal["inbound", "outbound"]
    provider: str
    to_number: str | None
    from_number: str | None
    hosted_telephony: bool
    recipient_data: Mapping[str, Any]
    agent_data: Mapping[str, Any]
    context_data: Mapping[str, Any] | None
    """Where a graph agent ended up (contract 4.4, row 14)."""
    extracted_data: Mapping[str, Any] | None
    summary: str | None
    error_message: str | None
    answered_by_voice_mail: bool
    termination_reason: str | None
    scheduled_at: int | None
    rescheduled_at: int | None
    initiated_at: int | None
    retry_config: Mapping[str, Any] | None
    retry_count: int
    retry_history: Sequence[Mapping[str, Any]] | None
    latency_data: Mapping[str, Any] | None
    cost: CostBreakdown
    """Over all attempts."""
    updated_at: int
    bypass_guardrails: bool
    line: int | None
    """Of the batch's file, from 1."""
    moves: int = 1
    """Statuses that it has had, the first one too."""
    extraction_webhook_status: bool | None = None
    """Whether the webhook task's server has taken what was extracted; None: there was nothing to tell."""
    trunk_id: str | None = None
    """Of the account's trunk that carries it; None: the operator's."""

    @property
    def created_at(self) -> int:
        return self.seq


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of `attempts`: one dial at most. Hangup fields are named by direction (contract section 5)."""

    account_id: str
    execution_id: str
    number: int
    state: AttemptState
    due_at: int
    lease_owner: str | None
    lease_until: int | None
    cancel_requested: bool
    call_id: str | None
    """The id on the wire, committed before the first packet."""
    dialled_at: int | None
    ringing_at: int | None
    answered_at: int | None
    ended_at: int | None
    status: Status | None
    """What became of this attempt; None while it runs."""
    hangup_by: str | None
    hangup_reason: str | None
    hangup_provider_code: int | None
    sip_code: int | None
    recording_path: str | None
    """Within the folder of recordings."""
    recording_token: str | None
    recording_ms: int | None
    recording_sha256: str | None
    """Of the whole file, in hexadecimal."""
    conversation_ms: int
    agent_id: str
    batch_id: str | None
    lane: str
    """What is first come, first served inside: its batch, else its agent."""
    trunk: str
    seq: int
    """Its execution's."""
    slot_since: int | None
    """It counts for the limits since then; None: it doesn't."""
    dial_at: int | None
    """The moment that the rate limits granted it."""
    tries: int
    """Of its after-call work, after the first."""
    reserved: int = 0
    """1e-4 cents of its payer's wallet, since it was dialled."""
    transfers: Sequence[Transfer] = ()
    """How it was handed over to others, in order."""
    transfer_token: str | None = None
    """Opens the recording of the transfer."""
    metered: Sequence[UsageLine] = ()
    """What providers have done in a call under way, not rated, for the bill if its worker is lost."""

    @property
    def leg_ms(self) -> int:
        """The telephone leg, from its answer to its end."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return max(0, self.ended_at - self.answered_at) // 1000


@dataclass(frozen=True, slots=True)
class Turn:
    """What one side said, as it was heard."""

    index: int
    """From 0 within the attempt."""
    role: Literal["assistant", "user"]
    text: str
    start_ms: int
    """Milliseconds since the answer."""
    end_ms: int
    interrupted: bool = False

    @property
    def line(self) -> str:
        """Its line of the transcript; CUT_MARK ends one that was cut short."""
        return f"{self.role}: {self.text}{CUT_MARK if self.interrupted else ''}"


@dataclass(frozen=True, slots=True)
class LogRow:
    """One line of GET /executions/{id}/log (contract 3.4)."""

    at_us: int
    type: Literal["request", "response", "event", "error"]
    component: str
    provider: str | None = None
    data: str = ""
    tool_name: str | None = None
    reasoning_content: str | None = None


@dataclass(frozen=True, slots=True)
class UsageLine:
    """A metered quantity and what it costs: `price` cents for `per` units, charged by the started `step` of units.

    Its amount follows from nothing but itself, whatever the prices are later (`billing.rating`).
    """

    kind: UsageKind
    provider: str
    model: str
    unit: UsageUnit
    quantity: int
    amount: int = 0
    """1e-4 cents."""
    detail: str = ""
    turn: int | None = None
    """Index of the turn that it was for; None: of none."""
    at_us: int = 0
    """The moment whose prices hold; 0: written before lines had one."""
    purpose: UsagePurpose = "conversation"
    price: Decimal | None = None
    """Cents for `per` units; None: it has no price and costs nothing."""
    per: int = 1
    step: int = 1


def cost_of(lines: Sequence[UsageLine]) -> CostBreakdown:
    """What the lines amount to."""
    return CostBreakdown(
        **{kind: sum(line.amount for line in lines if line.kind is kind) for kind in UsageKind}
    )


class ExecutionChanges(TypedDict, total=False):
    """The columns of an execution that may change after creation, except those that the ledger itself keeps
    (status, cost, updated_at)."""

    provider: str
    to_number: str | None
    from_number: str | None
    hosted_telephony: bool
    recipient_data: Mapping[str, Any]
    context_data: Mapping[str, Any] | None
    extracted_data: Mapping[str, Any] | None
    summary: str | None
    error_message: str | None
    answered_by_voice_mail: bool
    termination_reason: str | None
    scheduled_at: int | None
    rescheduled_at: int | None
    initiated_at: int | None
    latency_data: Mapping[str, Any] | None
    extraction_webhook_status: bool | None


class AttemptChanges(TypedDict, total=False):
    """The columns of an attempt that may change after creation, except `status`, which the ledger keeps."""

    state: AttemptState
    due_at: int
    lease_owner: str | None
    lease_until: int | None
    cancel_requested: bool
    call_id: str | None
    dialled_at: int | None
    ringing_at: int | None
    answered_at: int | None
    ended_at: int | None
    hangup_by: str | None
    hangup_reason: str | None
    hangup_provider_code: int | None
    sip_code: int | None
    recording_path: str | None
    recording_token: str | None
    recording_ms: int | None
    recording_sha256: str | None
    conversation_ms: int
    slot_since: int | None
    dial_at: int | None
    tries: int
    reserved: int
    transfers: Sequence[Transfer]
    transfer_token: str | None
    metered: Sequence[UsageLine]
