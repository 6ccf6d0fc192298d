"""The execution: the record of one call (contract 4)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from ringback.api.calls import RetryConfig
from ringback.api.schemas.fields import (
    BatchId,
    Cents,
    Count,
    Data,
    Id,
    Link,
    Number,
    Seconds,
    Shape,
    Timestamp,
    WholeSeconds,
)
from ringback.executions.lifecycle import V1_STATUS, Status

_V1 = [str(status) for status in Status if status not in V1_STATUS]

StatusV1 = Annotated[Status, WithJsonSchema({"type": "string", "enum": _V1})]
"""The eleven that the v1 endpoints know (contract 4.4, row 3)."""


class LlmCosts(Shape):
    """What the language models' part was for; zero until the execution is over."""

    conversation: Cents
    """Also the way through a graph."""
    extraction: Cents
    summarization: Cents
    analytics: Cents
    """Dispositions."""
    hangup: Cents
    """Whether the conversation was over."""
    voicemail: Cents


class SynthesizerCosts(Shape):
    """What the synthesizer's part was for; zero until the execution is over."""

    conversation: Cents
    welcome_message: Cents


class TranscriberCosts(Shape):
    """What the transcriber's part was for; zero until the execution is over."""

    conversation: Cents
    analytics: Cents


class CostBreakdown(Shape):
    """The five parts of `total_cost`, and what they were for."""

    llm: Cents
    network: Cents
    """The telephone leg."""
    platform: Cents
    synthesizer: Cents
    transcriber: Cents
    llm_breakdown: LlmCosts
    synthesizer_breakdown: SynthesizerCosts
    transcriber_breakdown: TranscriberCosts
    transfer_cost: Cents
    """Of the leg to the person that a call was handed over to; a part of `network`."""


class TelephonyData(Shape):
    """What the carrier saw of the call."""

    duration: WholeSeconds
    """Seconds from answer to hangup."""
    to_number: Number | None
    from_number: Number | None
    recording_url: Link | None
    """Of a completed call; needs no key. Serves byte ranges."""
    hosted_telephony: bool
    """The operator's shared trunk was used."""
    provider_call_id: str | None
    """The SIP Call-ID, once the call was placed."""
    call_type: Literal["outbound", "inbound"]
    provider: str
    """How the call was carried, such as `sip-trunk`."""
    hangup_by: Literal["Caller", "Callee", "API Request", "Carrier", "Error"] | None
    hangup_reason: str | None
    hangup_provider_code: int | None
    hangup_code: int | None
    """The same."""
    sip_code: int | None
    """The answer of the network as it came."""
    ring_duration: WholeSeconds | None
    post_dial_delay: WholeSeconds | None
    """Seconds from dialling to the first sign of ringing."""
    to_number_carrier: str | None


class TransferCallData(Shape):
    """The leg to the person that a call was handed over to. Its cost counts in `cost_breakdown.network`."""

    provider_call_id: str
    """Of the leg; of a blind transfer the call's own."""
    status: StatusV1
    duration: Seconds
    """From the answer of the leg to its end; 0 of a blind transfer, whose leg is not ours."""
    cost: Cents
    to_number: Number
    from_number: Number
    recording_url: Link | None
    """Of a completed call; needs no key. Serves byte ranges."""
    hangup_by: Literal["Caller", "Callee", "API Request", "Carrier", "Error"] | None
    """`Callee`: who took the call; `Caller`: who was handed over."""
    hangup_reason: str | None
    hangup_provider_code: int | None
    sip_code: int | None
    transfer_type: Literal["attended", "blind"]
    termination_reason: str | None
    """What became of it, in one word; null until then."""


class BatchRunDetails(Shape):
    """Where the call stands in its batch."""

    status: Status
    created_at: Timestamp
    updated_at: Timestamp
    retried: Count
    """Attempts after the first."""


class BatchRunDetailsV1(BatchRunDetails):
    """Where the call stands in its batch, in the statuses of v1."""

    status: StatusV1


class ContextDetails(Shape):
    """What the conversation knew beforehand, and where its graph stood."""

    recipient_data: Data
    """`user_data` of the call, or the row of the batch."""
    recipient_phone_number: Number | None
    context_data: Data = Field(default_factory=dict)
    """Of graph agents only."""


class TokenCounts(Shape):
    input: Count
    output: Count


class UsageBreakdown(Shape):
    """What the call used, over all attempts; zero until it has ended."""

    synthesizer_characters: Count
    synthesizer_model: str | None
    synthesizer_provider: str | None
    transcriber_duration: Seconds
    transcriber_model: str | None
    transcriber_provider: str | None
    llm_tokens: Count
    llm_model: dict[str, TokenCounts]
    """By model."""
    llmTokens: Count  # noqa: N815 - the vendor's spelling
    llmModel: dict[str, TokenCounts]  # noqa: N815


class RetryPolicy(RetryConfig):
    """When it is dialled again, with the defaults filled in."""

    model_config = ConfigDict(extra="ignore")


class EarlierAttempt(Shape):
    attempt: Annotated[int, Field(ge=1)]
    status: Status
    at: Timestamp


TurnNumber = Annotated[int, Field(ge=-1)]
"""Answers are counted from 1; -1: what the agent said without having been spoken to, such as the welcome."""


class TranscriptionLatency(Shape):
    sequence_id: Annotated[int, Field(ge=1)]
    audio_to_text_latency: Count
    """From the request to its text."""
    text: str


class TranscriberTurn(Shape):
    turn: TurnNumber
    turn_latency: list[TranscriptionLatency]


class TranscriberLatency(Shape):
    time_to_connect: Count | None
    turns: list[TranscriberTurn]


class TokenTurn(Shape):
    turn: TurnNumber
    time_to_first_token: Count
    """Of a synthesizer: to its first audio."""
    time_to_last_token: Count | None


class TokenLatency(Shape):
    time_to_connect: Count | None
    turns: list[TokenTurn]


class TurnLatency(Shape):
    """Where the time of one answer went. A part that did not take place is null; parts may overlap."""

    turn: Annotated[int, Field(ge=1)]
    endpointing: Count
    """Until the silence counted as the end of what the person said."""
    transcription: Count | None
    """The last one of the turn."""
    first_token: Count | None
    """Of the language model."""
    first_audio: Count | None
    """Of the synthesizer."""
    tools: Count | None
    """The longest wait for functions."""
    overhead: Count
    """What is left without the wait for the end of the turn and for providers: Ringback's own share."""
    total: Count
    """From the end of speech, as the voice detector sees it, to the first audio on the line."""


class LatencySummary(Shape):
    turns: Count
    """Answers."""
    total_p50: Count | None
    total_p95: Count | None


class LatencyData(Shape):
    """How quickly the agent answered, in milliseconds."""

    stream_id: str | None
    time_to_first_audio: Count
    """From the answer of the call to the agent's first audio."""
    region: None
    transcriber: TranscriberLatency
    llm: TokenLatency
    synthesizer: TokenLatency
    rag: None
    turns: list[TurnLatency]
    summary: LatencySummary


class _Execution(Shape):
    id: Id
    agent_id: Id
    batch_id: BatchId | None
    conversation_time: Seconds
    """Seconds of conversation, to a tenth."""
    total_cost: Cents
    """The exact sum of `cost_breakdown`."""
    status: Status
    answered_by_voice_mail: bool
    transcript: str
    """Lines `assistant: ...` and `user: ...`, once nothing more is said."""
    created_at: Timestamp
    updated_at: Timestamp
    cost_breakdown: CostBreakdown
    telephony_data: TelephonyData
    transfer_call_data: TransferCallData | None
    batch_run_details: BatchRunDetails | None
    extracted_data: Data | None
    """What the conversation was to find out."""
    context_details: ContextDetails
    execution_id: Id
    """The same as `id`."""
    conversation_duration: Seconds
    """The same as `conversation_time`."""
    smart_status: Status
    """The true status, on v1 too."""
    error_message: str | None
    """What went wrong, in one sentence."""
    usage_breakdown: UsageBreakdown
    summary: str | None
    user_number: Number | None
    """The person's."""
    agent_number: Number | None
    """Ours."""
    provider: str
    """The same as `telephony_data.provider`."""
    scheduled_at: Timestamp | None
    rescheduled_at: Timestamp | None
    initiated_at: Timestamp | None
    retry_config: RetryPolicy | None
    retry_count: Count
    retry_history: list[EarlierAttempt] | None
    latency_data: LatencyData | None
    termination_reason: str | None
    agent_extraction: None
    custom_extractions: None
    workflow_retries: None
    campaign_id: None
    deleted: Literal[False]
    extraction_webhook_status: bool | None = Field(
        description="Whether the server of a webhook task has taken what was extracted; null where there is none."
    )
    createdAt: Timestamp  # noqa: N815 - an alias that old clients read
    updatedAt: Timestamp  # noqa: N815


class Execution(_Execution):
    """The record of one call. Every key is always there; what is not known yet is null, zero or empty."""


class ExecutionV1(_Execution):
    """The record of one call for the v1 endpoints: `status` is one of eleven, `smart_status` the true one."""

    status: StatusV1
    batch_run_details: BatchRunDetailsV1 | None
