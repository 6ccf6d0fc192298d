"""The mapping of contract 4.5 and 5, transcribed here a second time."""

from __future__ import annotations

import pytest

from ringback.media.leg import EndedBy, HangupCause, Outcome
from ringback.telephony import causes
from ringback.telephony.causes import CAUSES, Trouble

CONTRACT_REASONS = {
    "Call recipient was busy", "Call unanswered", "Call recipient number invalid", "Call recipient rejected",
    "Carrier declined", "Carrier unable to receive media", "Network Congestion From Carrier",
    "Carrier Internal Error", "Telephony Internal Error", "Call timed out", "Call canceled", "Normal Hangup",
    "inactivity_timeout", "call_terminate", "end_call_tool", "llm_prompted_hangup", "Call completed",
    "voicemail_detected",
}  # fmt: skip
OUR_REASONS = {"fax_detected"}
"""What the contract has no word for."""
CODES_BY = {
    EndedBy.US: {4000, 4020},
    EndedBy.PEER: {3020, 4000},
    EndedBy.CARRIER: {2000, 3000, 3010, 3020, 3040, 3050, 3070},
    EndedBy.ERROR: {3080, 3090, 3110, 5010, 5020, 7011, 8011},
}


def test_words_and_numbers_are_the_contracts() -> None:
    for key, (_, by, code, reason, _) in CAUSES.items():
        assert reason in CONTRACT_REASONS | OUR_REASONS, key
        assert code in CODES_BY[by], key


@pytest.mark.parametrize(
    ("status", "outcome", "code"),
    [
        (486, Outcome.BUSY, 3010), (600, Outcome.BUSY, 3010),
        (480, Outcome.NO_ANSWER, 3000), (408, Outcome.NO_ANSWER, 3000),
        (603, Outcome.FAILED, 3020), (403, Outcome.FAILED, 3020),
        (404, Outcome.FAILED, 2000), (484, Outcome.FAILED, 2000), (604, Outcome.FAILED, 2000),
        (503, Outcome.FAILED, 3040), (500, Outcome.FAILED, 3050), (504, Outcome.FAILED, 3050),
        (302, Outcome.FAILED, 3020), (401, Outcome.FAILED, 3020), (407, Outcome.FAILED, 3020),
        (488, Outcome.FAILED, 3090),
    ],
)  # fmt: skip
def test_refusals(status: int, outcome: Outcome, code: int) -> None:
    ended = causes.refused(status)
    assert (ended.outcome, ended.provider_code, ended.sip_code) == (outcome, code, status)
    assert ended.detail


def test_every_status_has_an_end() -> None:
    assert all(causes.refused(status).outcome is not Outcome.HUNG_UP for status in range(300, 700))


def test_q850_refines_what_gateways_say_of_anything_but_nothing_precise() -> None:
    assert causes.refused(503, [("Q.850", 17)]).outcome is Outcome.BUSY
    assert causes.refused(480, [("SIP", 200), ("Q.850", 1)]).provider_code == 2000
    assert causes.refused(603, [("Q.850", 17)]).provider_code == 3020
    assert causes.refused(480, [("Q.850", 126)]).outcome is Outcome.NO_ANSWER


@pytest.mark.parametrize("cause", HangupCause)
def test_an_answered_leg_always_ends_hung_up(cause: HangupCause) -> None:
    assert causes.hung_up_by_us(cause).outcome is Outcome.HUNG_UP
    assert causes.hung_up_by_peer([("Q.850", 38)]).outcome is Outcome.HUNG_UP
    assert all(causes.lost(trouble).outcome is Outcome.HUNG_UP for trouble in Trouble)


def test_ends_of_our_own() -> None:
    assert causes.canceled(HangupCause.CANCELED, 487).outcome is Outcome.CANCELED
    assert causes.canceled(HangupCause.NORMAL, 487).outcome is Outcome.CANCELED
    assert causes.canceled(HangupCause.RING_TIMEOUT, 487).outcome is Outcome.NO_ANSWER
    silent = causes.canceled(HangupCause.RING_TIMEOUT, None, Trouble.NO_RESPONSE)
    assert silent.outcome is Outcome.NO_ANSWER
    assert "did not respond" in (silent.detail or "")
    assert causes.hung_up_by_us(HangupCause.MAX_DURATION).provider_code == 4020
    assert causes.hung_up_by_us(HangupCause.RING_TIMEOUT).reason == "Normal Hangup"


def test_the_peers_bye() -> None:
    plain = causes.hung_up_by_peer()
    assert (plain.by, plain.reason, plain.provider_code, plain.sip_code) == (
        EndedBy.PEER, "Normal Hangup", 4000, None,
    )  # fmt: skip
    assert causes.hung_up_by_peer([("Q.850", 16)]).sip_code == 16
    fault = causes.hung_up_by_peer([("Q.850", 38)])
    assert (fault.by, fault.provider_code, fault.sip_code) == (EndedBy.CARRIER, 3040, 38)
