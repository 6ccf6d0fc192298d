"""A transfer: how a call was handed over to somebody else, as the record keeps it (contract 4.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final, Literal

from ringback.executions.lifecycle import Status

WORKER_LOST: Final = "worker lost"
"""`hangup_reason` of a transfer whose worker gave no more sign of life."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """One try, whether it came to anything or not. Times are microseconds since the epoch, UTC."""

    kind: Literal["attended", "blind"]
    """A leg that we dialled, or one that the network made at our request."""
    to_number: str
    from_number: str
    provider: str
    """Whom the leg is paid to."""
    call_id: str
    """The id on the wire, committed before the first packet; of a blind one the call's own."""
    began_at: int
    status: Status = Status.INITIATED
    ringing_at: int | None = None
    answered_at: int | None = None
    joined_at: int | None = None
    """Since then the two have talked with each other."""
    ended_at: int | None = None
    hangup_by: str | None = None
    hangup_reason: str | None = None
    hangup_provider_code: int | None = None
    sip_code: int | None = None
    termination_reason: str | None = None
    """What became of it, in one word of ours; docs/transfer.md lists them."""
    recording_path: str | None = None
    """Within the folder of recordings."""
    recording_ms: int | None = None
    recording_sha256: str | None = None

    @property
    def leg_ms(self) -> int:
        """Length of the leg that is paid for: from its answer to its end. A blind one is not ours."""
        if self.kind == "blind" or self.answered_at is None or self.ended_at is None:
            return 0
        return max(0, self.ended_at - self.answered_at) // 1000

    def closed(self, at_us: int) -> Transfer:
        """As it stands once nobody can tell any more what becomes of it; its last sign of life was at `at_us`."""
        if self.ended_at is not None:
            return self
        answered = self.answered_at is not None
        return replace(
            self,
            status=Status.COMPLETED if answered else Status.FAILED,
            ended_at=max(at_us, self.answered_at or self.began_at),
            hangup_by="Error",
            hangup_reason=WORKER_LOST,
            termination_reason="worker_lost",
        )

    def unrecorded(self) -> Transfer:
        """As it stands once its recording was removed."""
        return replace(self, recording_path=None, recording_ms=None, recording_sha256=None)


def shown_transfer(transfers: Sequence[Transfer]) -> Transfer | None:
    """The one that stands for a call in its record: the last that was answered, else the last."""
    answered = [transfer for transfer in transfers if transfer.answered_at is not None]
    return next(reversed(answered or list(transfers)), None)


def to_json(transfers: Sequence[Transfer]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in asdict(transfer).items() if value is not None}
        for transfer in transfers
    ]


def from_json(values: Sequence[Mapping[str, Any]]) -> tuple[Transfer, ...]:
    """What a later version added is left out."""
    return tuple(_transfer(one) for one in values)


def _transfer(one: Mapping[str, Any]) -> Transfer:
    values: dict[str, Any] = {field.name: one[field.name] for field in fields(Transfer) if field.name in one}
    return Transfer(**values | {"status": Status(one["status"])})
