"""Why a leg ended, in the words and numbers of the record (contract 4.5 and 5), as one table.

The provider codes follow Plivo's numbering by the contract's guess; `sip_code` keeps the raw code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from ringback.media.leg import Ended, EndedBy, HangupCause, Outcome

WireCode = tuple[str, int]
"""A cause from the wire: ("SIP", status), or ("Q.850", cause) out of a Reason header (RFC 3326)."""


class Trouble(Enum):
    """How a call fails without a code from the wire."""

    NO_RESPONSE = auto()
    """The carrier never answered the request to place the call."""
    UNREACHABLE = auto()
    """Nothing could be sent: the host has no address, or the network refused."""
    NO_MEDIA = auto()
    """Answered, but the two sides agree on no audio."""
    NO_ACK = auto()
    """We answered, and the peer never acknowledged it."""
    EXPIRED = auto()
    """The peer no longer answers within the call (RFC 4028)."""
    NO_PORT = auto()
    """No free port for the audio on this machine."""


_Row = tuple[Outcome, EndedBy, int, str, str | None]
"""Outcome, who, provider code, reason (contract 5), and a plain sentence for `error_message`."""

_HUNG_UP, _BUSY, _NO_ANSWER, _FAILED = Outcome.HUNG_UP, Outcome.BUSY, Outcome.NO_ANSWER, Outcome.FAILED
_CARRIER, _PEER, _US, _ERROR = EndedBy.CARRIER, EndedBy.PEER, EndedBy.US, EndedBy.ERROR

# fmt: off
CAUSES: Final[Mapping[WireCode | Trouble | HangupCause, _Row]] = {
    # What the network answers to a call. A status that is missing counts as the first of its hundred.
    ("SIP", 300): (_FAILED, _CARRIER, 3020, "Carrier declined",
                   "The carrier redirected the call; redirections are not followed."),
    ("SIP", 400): (_FAILED, _CARRIER, 3020, "Carrier declined", "The carrier did not accept the call."),
    ("SIP", 401): (_FAILED, _CARRIER, 3020, "Carrier declined",
                   "The carrier did not accept the trunk's user name and password."),
    ("SIP", 403): (_FAILED, _CARRIER, 3020, "Call recipient rejected", "The carrier forbade the call."),
    ("SIP", 404): (_FAILED, _CARRIER, 2000, "Call recipient number invalid", "The number does not exist."),
    ("SIP", 407): (_FAILED, _CARRIER, 3020, "Carrier declined",
                   "The carrier did not accept the trunk's user name and password."),
    ("SIP", 408): (_NO_ANSWER, _CARRIER, 3000, "Call unanswered", "Nobody answered the call."),
    ("SIP", 410): (_FAILED, _CARRIER, 2000, "Call recipient number invalid", "The number is out of service."),
    ("SIP", 415): (_FAILED, _ERROR, 3090, "Carrier unable to receive media", "The carrier takes no G.711."),
    ("SIP", 480): (_NO_ANSWER, _CARRIER, 3000, "Call unanswered", "The person could not be reached."),
    ("SIP", 484): (_FAILED, _CARRIER, 2000, "Call recipient number invalid", "The number is incomplete."),
    ("SIP", 486): (_BUSY, _CARRIER, 3010, "Call recipient was busy", "The line was busy."),
    ("SIP", 487): (_NO_ANSWER, _CARRIER, 3000, "Call unanswered", "The carrier gave the call up."),
    ("SIP", 488): (_FAILED, _ERROR, 3090, "Carrier unable to receive media", "The carrier takes no G.711."),
    ("SIP", 500): (_FAILED, _CARRIER, 3050, "Carrier Internal Error", "The carrier failed."),
    ("SIP", 503): (_FAILED, _CARRIER, 3040, "Network Congestion From Carrier", "No capacity was free."),
    ("SIP", 600): (_BUSY, _CARRIER, 3010, "Call recipient was busy", "The line was busy."),
    ("SIP", 603): (_FAILED, _PEER, 3020, "Call recipient rejected", "The person refused the call."),
    ("SIP", 604): (_FAILED, _CARRIER, 2000, "Call recipient number invalid", "The number does not exist."),
    ("SIP", 606): (_FAILED, _ERROR, 3090, "Carrier unable to receive media", "The carrier takes no G.711."),
    ("SIP", 607): (_FAILED, _PEER, 3020, "Call recipient rejected", "The person does not want such calls."),
    ("SIP", 608): (_FAILED, _CARRIER, 3020, "Call recipient rejected", "The network screened the call out."),
    # What the telephone network behind the carrier said (ITU-T Q.850).
    ("Q.850", 1): (_FAILED, _CARRIER, 2000, "Call recipient number invalid", "The number does not exist."),
    ("Q.850", 17): (_BUSY, _CARRIER, 3010, "Call recipient was busy", "The line was busy."),
    ("Q.850", 18): (_NO_ANSWER, _CARRIER, 3000, "Call unanswered", "The telephone did not respond."),
    ("Q.850", 19): (_NO_ANSWER, _CARRIER, 3000, "Call unanswered", "Nobody answered the call."),
    ("Q.850", 20): (_NO_ANSWER, _CARRIER, 3000, "Call unanswered", "The telephone is off or out of reach."),
    ("Q.850", 21): (_FAILED, _PEER, 3020, "Call recipient rejected", "The person refused the call."),
    ("Q.850", 22): (_FAILED, _CARRIER, 2000, "Call recipient number invalid", "The number has changed."),
    ("Q.850", 28): (_FAILED, _CARRIER, 2000, "Call recipient number invalid", "The number is incomplete."),
    ("Q.850", 34): (_FAILED, _CARRIER, 3040, "Network Congestion From Carrier", "No line was free."),
    ("Q.850", 38): (_FAILED, _CARRIER, 3040, "Network Congestion From Carrier", "The network is down."),
    ("Q.850", 41): (_FAILED, _CARRIER, 3040, "Network Congestion From Carrier", "The network failed."),
    ("Q.850", 42): (_FAILED, _CARRIER, 3040, "Network Congestion From Carrier", "The network is congested."),
    # No code at all.
    Trouble.NO_RESPONSE: (_FAILED, _ERROR, 3110, "Call timed out",
                          "The carrier did not respond; check the trunk's host and port."),
    Trouble.UNREACHABLE: (_FAILED, _ERROR, 3110, "Call timed out",
                          "Nothing could be sent to the carrier; check the trunk's host and port."),
    Trouble.NO_MEDIA: (_FAILED, _ERROR, 3090, "Carrier unable to receive media",
                       "The carrier answered without G.711 audio."),
    Trouble.NO_ACK: (_FAILED, _ERROR, 3110, "Call timed out", "The caller never acknowledged our answer."),
    Trouble.EXPIRED: (_FAILED, _ERROR, 3110, "Call timed out", "The other side no longer answered in the call."),
    Trouble.NO_PORT: (Outcome.ERROR, _ERROR, 7011, "Telephony Internal Error",
                      "No free RTP port; widen the port range or run fewer calls."),
    # What we do ourselves.
    HangupCause.NORMAL: (_HUNG_UP, _US, 4000, "Normal Hangup", None),
    HangupCause.SILENCE: (_HUNG_UP, _US, 4000, "inactivity_timeout", None),
    HangupCause.MAX_DURATION: (_HUNG_UP, _US, 4020, "call_terminate", None),
    HangupCause.AGENT: (_HUNG_UP, _US, 4000, "end_call_tool", None),
    HangupCause.JUDGED_OVER: (_HUNG_UP, _US, 4000, "llm_prompted_hangup", None),
    HangupCause.TRANSFERRED: (_HUNG_UP, _US, 4000, "Call completed", None),
    HangupCause.VOICEMAIL: (_HUNG_UP, _US, 4000, "voicemail_detected", None),
    HangupCause.FAX: (_HUNG_UP, _US, 4000, "fax_detected", None),
    HangupCause.CANCELED: (Outcome.CANCELED, _US, 4000, "Call canceled", None),
    HangupCause.RING_TIMEOUT: (_NO_ANSWER, _CARRIER, 3000, "Call unanswered", "Nobody answered in time."),
    HangupCause.RTP_TIMEOUT: (_HUNG_UP, _ERROR, 3110, "Call timed out",
                              "No audio came from the other side any more; if none ever came, check the firewall "
                              "and the settings sip.external_host and sip.rtp_port_low."),
    HangupCause.ERROR: (Outcome.ERROR, _ERROR, 7011, "Telephony Internal Error",
                        "Ringback gave the call up because of an error of its own."),
}
# fmt: on

_VAGUE: Final = frozenset({480, 487, 500, 502, 503})
"""Statuses that gateways give for anything: a Q.850 cause beside them says more."""
_FAULTS: Final = frozenset({3040, 3050, 3090, 3110})
"""Provider codes that name a fault of the network rather than a person's will."""


def refused(status: int, reasons: Sequence[WireCode] = ()) -> Ended:
    """The end of a call that got a final response other than 2xx."""
    said = next((code for code in reasons if code[0] == "Q.850" and code in CAUSES), None)
    if said is not None and status in _VAGUE:
        return _ended(CAUSES[said], status)
    return _ended(CAUSES.get(("SIP", status)) or CAUSES["SIP", status // 100 * 100], status)


def failed(trouble: Trouble) -> Ended:
    """The end of an unanswered call without a code."""
    return _ended(CAUSES[trouble])


def canceled(cause: HangupCause, status: int | None = None, trouble: Trouble | None = None) -> Ended:
    """The end of an unanswered call that we gave up; `status` and `trouble` are what came of it."""
    told_apart = cause in (HangupCause.RING_TIMEOUT, HangupCause.ERROR)
    ended = _ended(CAUSES[cause if told_apart else HangupCause.CANCELED], status)
    if cause is HangupCause.RING_TIMEOUT and trouble is not None:
        # No answer it is by its cause (contract 4.5), but not because a telephone rang in vain.
        return replace(ended, detail=CAUSES[trouble][4])
    return ended


def hung_up_by_us(cause: HangupCause) -> Ended:
    """The end of an answered call that we ended, whatever the cause was meant for."""
    if cause in (HangupCause.CANCELED, HangupCause.RING_TIMEOUT):
        cause = HangupCause.NORMAL
    return _hung_up(CAUSES[cause])


def hung_up_by_peer(reasons: Sequence[WireCode] = ()) -> Ended:
    """The end of an answered call by the peer's BYE: the person's will unless it names a fault."""
    for reason in reasons:
        row = CAUSES.get(reason)
        if row is not None and row[2] in _FAULTS:
            return _hung_up(row, reason[1])
    _, _, code, words, _ = CAUSES[HangupCause.NORMAL]
    return Ended(Outcome.HUNG_UP, EndedBy.PEER, words, code, reasons[0][1] if reasons else None)


def lost(trouble: Trouble) -> Ended:
    """The end of an answered call that broke down."""
    return _hung_up(CAUSES[trouble])


def _ended(row: _Row, sip_code: int | None = None) -> Ended:
    outcome, by, code, words, detail = row
    return Ended(outcome, by, words, code, sip_code, detail)


def _hung_up(row: _Row, sip_code: int | None = None) -> Ended:
    return _ended((Outcome.HUNG_UP, *row[1:]), sip_code)
