"""`task_config`: how an agent listens, waits and ends a call."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ringback.agents.validation import Localised, Part, Real, Text, Whole

Seconds = Annotated[Real, Field(ge=0, le=86_400)]
Milliseconds = Annotated[Whole, Field(ge=0, le=60_000)]


class TaskConfig(Part):
    """Contract 7, with the API's defaults. Keys that we do not know are kept, as everywhere."""

    hangup_after_silence: Seconds = 10
    incremental_delay: Milliseconds = 400
    number_of_words_for_interruption: Annotated[Whole, Field(ge=0, le=100)] = 2
    interruption_backoff_period: Milliseconds = 0
    hangup_after_LLMCall: bool = False  # noqa: N815 - the vendor's spelling
    call_cancellation_prompt: Text | None = None
    backchanneling: bool = False
    backchanneling_message_gap: Seconds = 5
    backchanneling_start_delay: Seconds = 5
    ambient_noise: bool = False
    ambient_noise_track: str | None = None
    call_terminate: Annotated[Seconds, Field(gt=0)] = 90
    voicemail: bool = False
    voicemail_detection_duration: Seconds = 30
    voicemail_check_interval: Seconds = 7
    voicemail_min_transcript_length: Annotated[Whole, Field(ge=0)] = 7
    voicemail_detection_time: Seconds | None = None
    voicemail_message: Localised | None = None
    inbound_limit: Annotated[Whole, Field(ge=-1)] = -1
    whitelist_phone_numbers: list[str] | None = None
    disallow_unknown_numbers: bool = False
    dtmf_enabled: bool = False
    dtmf_masked: bool = False
    auto_reschedule: bool = False
    welcome_message_delay: Annotated[Whole, Field(ge=0, le=1000)] = 0
    noise_cancellation_level: Annotated[Whole, Field(ge=0, le=100)] | None = None
    call_hangup_message: Localised | None = None
    check_if_user_online: bool = True
    trigger_user_online_message_after: Seconds = 10
    check_user_online_message: Localised | None = "Hey, are you still there?"
    use_fillers: bool = False
