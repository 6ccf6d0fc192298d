"""What the end of a leg means for the record: its status and its hangup fields (contract 4.5 and 5)."""

from __future__ import annotations

from typing import Final, Literal

from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptChanges
from ringback.media.leg import Ended, EndedBy, Outcome

STATUS: Final = {
    Outcome.HUNG_UP: Status.CALL_DISCONNECTED,
    Outcome.BUSY: Status.BUSY,
    Outcome.NO_ANSWER: Status.NO_ANSWER,
    Outcome.FAILED: Status.FAILED,
    Outcome.CANCELED: Status.CANCELED,
    Outcome.ERROR: Status.ERROR,
}

_HANGUP_BY: Final = {
    (EndedBy.PEER, "outbound"): "Callee",
    (EndedBy.PEER, "inbound"): "Caller",
    (EndedBy.US, "outbound"): "API Request",
    (EndedBy.US, "inbound"): "API Request",
    (EndedBy.CARRIER, "outbound"): "Carrier",
    (EndedBy.CARRIER, "inbound"): "Carrier",
    (EndedBy.ERROR, "outbound"): "Error",
    (EndedBy.ERROR, "inbound"): "Error",
}

WORKER_LOST: Final = "worker lost"
"""`hangup_reason` of a call whose worker gave no more sign of life."""

LEFT: Final[AttemptChanges] = {"slot_since": None, "lease_owner": None, "lease_until": None}
"""Of an attempt that is over: it counts for no limit and is nobody's."""


def hangup_fields(ended: Ended, call_type: Literal["outbound", "inbound"]) -> AttemptChanges:
    return {
        "hangup_by": _HANGUP_BY[ended.by, call_type],
        "hangup_reason": ended.reason,
        "hangup_provider_code": ended.provider_code,
        "sip_code": ended.sip_code,
    }
