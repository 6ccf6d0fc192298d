"""One invented call as the product's own values."""

from __future__ import annotations

import random
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import NAMESPACE_OID, UUID, uuid5

from benchmarks.ledger.talk import Talk
from ringback.app.latency import latency_data
from ringback.billing.book import PriceBook
from ringback.billing.price import Price
from ringback.billing.price_list import default
from ringback.billing.rating import telephone_lines
from ringback.conversation.transcript import Turn as SpokenTurn
from ringback.conversation.transcript import TurnTiming
from ringback.executions.lifecycle import TERMINAL, Status
from ringback.executions.record import (
    Attempt,
    AttemptState,
    CostBreakdown,
    Execution,
    Turn,
    UsageKind,
    UsageLine,
)

_T = TypeVar("_T")

# What the oldest rows of the measured agent are, and no others: the worst case of a filter for it.
RARE_ROWS: Final = 20
"""As many rows have each of them, except the numbers and the tag, which have one."""
RARE_STATUS: Final = Status.BALANCE_LOW
SMALL_BATCH: Final = UUID(int=20).hex
RARE_PROVIDER: Final = "exotel"
RARE_REASON: Final = "Carrier unable to receive media"
RARE_NUMBER: Final = "+14155550199"
RARE_FROM: Final = "+14155550198"
RARE_TAG: Final = "kestrel"
_RARE_PLACE: Final = 4 * RARE_ROWS

_BATCH_ROWS: Final = 4_000
_STATUSES: Final = {
    Status.COMPLETED: 60,
    Status.NO_ANSWER: 20,
    Status.BUSY: 9,
    Status.FAILED: 6,
    Status.CANCELED: 2.5,
    Status.STOPPED: 1.5,
    Status.ERROR: 1,
}
_PROVIDERS: Final = {"sip-trunk": 70, "twilio": 20, "plivo": 10}
_REFUSALS: Final = {
    Status.NO_ANSWER: ("Call unanswered", 3000, 480, "The person could not be reached."),
    Status.BUSY: ("Call recipient was busy", 3010, 486, "The line was busy."),
    Status.FAILED: ("Call recipient number invalid", 2000, 404, "The number does not exist."),
    Status.CANCELED: ("Call canceled", 4000, 487, None),
    Status.ERROR: (
        "Call timed out",
        3110,
        408,
        "The carrier did not respond; check the trunk's host and port.",
    ),
}
_HANGUPS: Final = {
    ("Callee", "Normal Hangup", 4000): 70,
    ("Caller", "end_call_tool", 4000): 22,
    ("Caller", "inactivity_timeout", 4000): 6,
    ("Caller", "call_terminate", 4020): 2,
}
_UNSETTLED: Final = (Status.QUEUED, Status.SCHEDULED, Status.QUEUED, Status.IN_PROGRESS, Status.RINGING)
_STATES: Final = {
    Status.QUEUED: AttemptState.WAITING,
    Status.SCHEDULED: AttemptState.WAITING,
    Status.RINGING: AttemptState.LIVE,
    Status.IN_PROGRESS: AttemptState.LIVE,
}
_LATER_US: Final = 4_102_444_800_000_000
"""2100-01-01: nobody dials these."""
_MAIL: Final = ("gmail.com", "yahoo.com", "outlook.com", "icloud.com", "hotmail.com", "proton.me")
_OUR_NUMBERS: Final = tuple(f"+1415555010{digit}" for digit in range(10))
_PRICES: Final = PriceBook(
    [
        *default(),
        Price(UsageKind.TRANSCRIBER, "ms", Decimal("0.0072"), per=1000, step=1000),
        Price(UsageKind.LLM, "input_tokens", Decimal("0.00006")),
        Price(UsageKind.LLM, "output_tokens", Decimal("0.00006")),
        Price(UsageKind.SYNTHESIZER, "characters", Decimal("0.005")),
    ]
)
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """What `render` takes."""

    execution: Execution
    attempt: Attempt
    turns: list[Turn]
    usage: list[UsageLine]


@dataclass(slots=True)
class _Times:
    dialled: int | None = None
    ringing: int | None = None
    answered: int | None = None
    ended: int | None = None


def invent(
    rng: random.Random,
    talk: Talk,
    account_id: str,
    agent_id: str,
    seq: int,
    age: int | None,
    unsettled: bool,
) -> Call:
    """A call created at `seq`. `age` is its number among the rows of the measured agent, from the oldest, 0; None is
    another agent's. `unsettled`: it has not ended yet."""
    rare = age if age is not None and age < _RARE_PLACE + RARE_ROWS else None
    inbound = rng.random() < 0.08 and not unsettled and rare is None
    status = _status(rng, inbound, unsettled, rare)
    answered = status is Status.COMPLETED
    name = talk.name()
    voicemail = answered and not inbound and rng.random() < 0.06
    turns = talk.turns(name, 1 if voicemail else rng.randint(4, 8)) if answered else []
    times = _times(rng, status, seq, turns)
    provider = RARE_PROVIDER if _is(rare, 2) else _pick(rng, _PROVIDERS)
    usage = _usage(turns, times, provider)
    execution_id = str(UUID(int=rng.getrandbits(128), version=4))
    attempt = _attempt(rng, account_id, agent_id, execution_id, seq, provider, status, times, turns, rare)
    person = f"+1{rng.randint(2_010_000_000, 9_899_999_999)}" if rare != _RARE_PLACE else RARE_NUMBER
    ours = RARE_FROM if rare == _RARE_PLACE + 1 else rng.choice(_OUR_NUMBERS)
    recipient = _recipient(rng, talk, name) | ({"tag": RARE_TAG} if rare == _RARE_PLACE + 2 else {})
    execution = Execution(
        account_id=account_id,
        id=execution_id,
        agent_id=agent_id,
        seq=seq,
        batch_id=None if inbound or unsettled else _batch(rng, agent_id, age, rare, seq),
        status=status,
        call_type="inbound" if inbound else "outbound",
        provider=provider,
        to_number=ours if inbound else person,
        from_number=person if inbound else ours,
        hosted_telephony=False,
        recipient_data=recipient,
        agent_data={},
        context_data=None,
        extracted_data=_extracted(rng, talk) if answered and not voicemail else None,
        summary=talk.sentence() if answered and rng.random() < 0.5 else None,
        error_message=_REFUSALS[status][3] if status in _REFUSALS else None,
        answered_by_voice_mail=voicemail,
        termination_reason=None,
        scheduled_at=seq + 3600 * _SECOND if status is Status.SCHEDULED else None,
        rescheduled_at=None,
        initiated_at=times.dialled,
        retry_config=None,
        retry_count=0,
        retry_history=None,
        latency_data=_latency(rng, attempt, turns),
        cost=CostBreakdown(**{kind: sum(u.amount for u in usage if u.kind is kind) for kind in UsageKind}),
        updated_at=(times.ended or seq) + rng.randint(2, 9) * _SECOND,
        bypass_guardrails=False,
        line=None,
    )
    attempt = replace(attempt, batch_id=execution.batch_id, lane=execution.batch_id or agent_id)
    return Call(execution, attempt, turns, usage)


def _is(rare: int | None, place: int) -> bool:
    return rare is not None and rare // RARE_ROWS == place


def _pick(rng: random.Random, shares: Mapping[_T, float]) -> _T:
    return rng.choices(tuple(shares), tuple(shares.values()))[0]


def _status(rng: random.Random, inbound: bool, unsettled: bool, rare: int | None) -> Status:
    if unsettled:
        return rng.choice(_UNSETTLED)
    if _is(rare, 0):
        return RARE_STATUS
    if _is(rare, 3):
        return Status.FAILED
    return Status.COMPLETED if inbound else _pick(rng, _STATUSES)


def _batch(rng: random.Random, agent_id: str, age: int | None, rare: int | None, seq: int) -> str | None:
    if _is(rare, 1):
        return SMALL_BATCH
    if rng.random() < 0.35:
        return None
    # Of the measured agent _BATCH_ROWS in a row belong to one; of the others an hour's.
    part = f"{agent_id} {seq // 3_600_000_000}" if age is None else f"{agent_id} {age // _BATCH_ROWS}"
    return uuid5(NAMESPACE_OID, part).hex


def _times(rng: random.Random, status: Status, seq: int, turns: list[Turn]) -> _Times:
    times = _Times()
    if status in (Status.STOPPED, RARE_STATUS):
        times.ended = seq + rng.randint(5, 3000) * _SECOND
    if status in (Status.QUEUED, Status.SCHEDULED, Status.STOPPED, RARE_STATUS):
        return times
    times.dialled = seq + rng.randint(50_000, 30 * _SECOND)
    times.ringing = times.dialled + rng.randint(300_000, 4 * _SECOND)
    if status is Status.COMPLETED:
        times.answered = times.ringing + rng.randint(_SECOND, 25 * _SECOND)
        times.ended = times.answered + turns[-1].end_ms * 1000 + rng.randint(200_000, 3 * _SECOND)
    elif status is Status.IN_PROGRESS:
        times.answered = times.ringing + 4 * _SECOND
    elif status is not Status.RINGING:
        times.ended = times.ringing + rng.randint(_SECOND, 45 * _SECOND)
    return times


def _usage(turns: list[Turn], times: _Times, provider: str) -> list[UsageLine]:
    if not turns or times.answered is None or times.ended is None:
        return []
    spoken = sum(len(turn.text) for turn in turns if turn.role == "assistant")
    heard = sum(turn.end_ms - turn.start_ms for turn in turns if turn.role == "user")
    at = times.answered
    metered = (
        UsageLine(UsageKind.TRANSCRIBER, "deepgram", "nova-3", "ms", heard, at_us=at),
        UsageLine(
            UsageKind.LLM, "openai", "gpt-4.1-mini", "input_tokens", 420 * len(turns) + spoken, at_us=at
        ),
        UsageLine(UsageKind.LLM, "openai", "gpt-4.1-mini", "output_tokens", spoken // 4, at_us=at),
        UsageLine(UsageKind.SYNTHESIZER, "elevenlabs", "eleven_turbo_v2_5", "characters", spoken, at_us=at),
        *telephone_lines((times.ended - at) // 1000, provider, at),
    )
    return [_PRICES.rated(line) for line in metered]


def _attempt(
    rng: random.Random,
    account_id: str,
    agent_id: str,
    execution_id: str,
    seq: int,
    provider: str,
    status: Status,
    times: _Times,
    turns: list[Turn],
    rare: int | None,
) -> Attempt:
    by, reason, code, sip = _hangup(rng, status)
    recorded = status is Status.COMPLETED
    talked_ms = turns[-1].end_ms if turns else 0
    return Attempt(
        account_id=account_id,
        execution_id=execution_id,
        number=1,
        state=_STATES.get(status, AttemptState.DONE),
        due_at=times.dialled or _LATER_US,
        lease_owner=None,
        lease_until=None,
        cancel_requested=False,
        call_id=f"{rng.getrandbits(128):032x}" if times.dialled else None,
        dialled_at=times.dialled,
        ringing_at=times.ringing,
        answered_at=times.answered,
        ended_at=times.ended,
        status=status if status in TERMINAL else None,
        hangup_by=by,
        hangup_reason=RARE_REASON if _is(rare, 3) else reason,
        hangup_provider_code=code,
        sip_code=sip,
        recording_path=f"{account_id}/{execution_id}-1.wav" if recorded else None,
        recording_token=urlsafe_b64encode(rng.randbytes(24)).decode() if recorded else None,
        recording_ms=talked_ms if recorded else None,
        recording_sha256=None,
        conversation_ms=talked_ms,
        agent_id=agent_id,
        batch_id=None,
        lane=agent_id,
        trunk=provider,
        seq=seq,
        slot_since=None,
        dial_at=times.dialled,
        tries=0,
    )


def _hangup(rng: random.Random, status: Status) -> tuple[str | None, str | None, int | None, int | None]:
    if status is Status.COMPLETED:
        return (*_pick(rng, _HANGUPS), None)
    if status in _REFUSALS:
        reason, code, sip, _ = _REFUSALS[status]
        return "Carrier", reason, code, sip
    return None, None, None, None


def _recipient(rng: random.Random, talk: Talk, name: str) -> dict[str, Any]:
    """A row of the caller's list of people."""
    return {
        "name": name,
        "email": f"{name.replace(' ', '.').lower()}{rng.randint(1, 99)}@{rng.choice(_MAIL)}",
        "address": talk.address(),
        "account_number": rng.randint(10**11, 10**12),
        "reference": talk.reference(),
        "amount_due": talk.money(),
        "due_date": talk.date(),
        "crm_id": str(UUID(int=rng.getrandbits(128), version=4)),
        "payment_link": f"https://pay.example.com/{urlsafe_b64encode(rng.randbytes(32)).decode()}",
    }


def _extracted(rng: random.Random, talk: Talk) -> dict[str, Any]:
    return {
        "user_interested": rng.random() < 0.4,
        "callback_requested": rng.random() < 0.15,
        "satisfaction": rng.randint(1, 5),
        "reason": talk.sentence(),
    }


def _latency(rng: random.Random, attempt: Attempt, turns: list[Turn]) -> dict[str, Any] | None:
    spoken, heard = [], ""
    for turn in turns:
        answers = turn.role == "assistant" and heard != ""
        timing = _timing(rng, heard) if answers else None
        spoken.append(SpokenTurn(turn.role, turn.text, turn.start_ms, turn.end_ms, timing=timing))
        heard = turn.text if turn.role == "user" else ""
    return latency_data(attempt.call_id or "", spoken, round(rng.gauss(90, 20)))


def _timing(rng: random.Random, heard: str) -> TurnTiming:
    first_token = round(rng.gauss(220, 40))
    return TurnTiming(
        total_ms=round(rng.gauss(720, 110)),
        endpointing_ms=round(rng.gauss(420, 50)),
        overhead_ms=rng.randint(1, 20),
        transcriptions=((round(rng.gauss(160, 25)), heard),),
        first_token_ms=first_token,
        last_token_ms=2 * first_token,
        first_audio_ms=round(rng.gauss(90, 15)),
    )
