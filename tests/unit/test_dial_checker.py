"""The checker of dialling histories finds every breach: for each a history that is broken by hand."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.dial_case import Breach
from tests.support.dial_checker import counted
from tests.support.dial_story import RETRY, Rows, S, Story, attempt, execution, gate, seen, waiting


def test_a_history_as_it_should_be_has_no_violation() -> None:
    assert Story().breaches() == set()
    assert set(counted([]).values()) == {0}


def _one_dial_too_many(story: Story) -> None:
    story.wire += seen("2-x", "+14155550002", 10.2, 486)


def _one_attempt_under_two_tags(story: Story) -> None:
    story.wire.append(story.wire[0] | {"tag": "other"})


def _a_retry_without_a_policy(story: Story) -> None:
    story.executions[1]["retry_count"] = 1
    story.attempts.insert(3, attempt("2", 2, "done", "busy"))
    story.wire += seen("2-2", "+14155550002", 20.1, 486)


def _a_retry_beyond_the_budget_that_never_reached_the_wire(story: Story) -> None:
    story.executions[2]["retry_config"] = json.dumps(RETRY | {"max_retries": 1})
    story.executions[2]["retry_count"] = 2
    story.attempts += [attempt("3", number, "unknown", "error") for number in (2, 3)]


def _a_retry_after_an_end_that_is_not_retried(story: Story) -> None:
    story.attempts[0]["status"] = "no-answer"


def _a_retry_because_the_work_after_the_call_failed(story: Story) -> None:
    story.attempts[0] |= {"status": "error", "answered_at": 10 * S}


def _a_retry_after_an_answered_call(story: Story) -> None:
    story.attempts[0]["status"] = "completed"
    story.wire[1]["status"] = 200


def _nobodys_dial(story: Story) -> None:
    story.executions[1]["retry_config"] = json.dumps(RETRY | {"retry_on_statuses": []})
    story.wire += seen("nobody's", "+14155550002", 10.2, 486)


def _the_wrong_person(story: Story) -> None:
    for event in story.wire[8:]:
        event["number"] = "+14155550003"


def _an_accepted_call_that_vanished(story: Story) -> None:
    story.placed.append("4")


def _an_execution_without_an_attempt(story: Story) -> None:
    del story.attempts[2]


def _busy_and_nobody_was_dialled(story: Story) -> None:
    del story.wire[8:]


def _an_end_before_the_dial(story: Story) -> None:
    story.attempts[2] |= {"dialled_at": None, "call_id": None}
    del story.wire[8:]


def _a_retry_that_never_came(story: Story) -> None:
    story.executions[1]["retry_config"] = json.dumps(RETRY)


def _a_voicemail_whose_retry_never_came(story: Story) -> None:
    story.executions[0]["retry_config"] = json.dumps(RETRY | {"retry_on_voicemail": True})
    story.executions[0]["answered_by_voice_mail"] = True


def _a_slot_that_is_kept(story: Story) -> None:
    story.attempts[3]["slot_since"] = 1


def _a_slot_that_is_kept_while_others_dial(story: Story) -> None:
    story.finished = False
    story.attempts[2]["slot_since"] = 1


def _a_dial_without_a_slot(story: Story) -> None:
    story.finished = False
    story.executions.append(execution("4", "ringing"))
    story.attempts.append(attempt("4", 1, "dialling", None, lease_owner="w"))
    story.wire += seen("4-1", "+14155550004", 10.1, 200)[:1]


def _an_execution_that_never_ends(story: Story) -> None:
    story.executions[1]["status"] = "ringing"
    story.attempts[2] |= {"state": "dialling", "status": None, "lease_owner": "w"}


def _an_end_that_nothing_explains(story: Story) -> None:
    story.attempts[2]["hangup_reason"] = None


def _an_attempt_that_stays_open_behind_an_end(story: Story) -> None:
    story.attempts[2] |= {"state": "live", "lease_owner": "w"}


def _a_packet_after_the_end(story: Story) -> None:
    story.wire[8]["at"] = 11 * S + 300_000


def _a_packet_before_its_grant(story: Story) -> None:
    story.attempts[2]["dial_at"] = 10 * S + 150_000


def _a_packet_before_its_intent(story: Story) -> None:
    story.wire[8]["at"] = 10 * S - 5_000


def _a_dial_that_was_decided_after_the_stop(story: Story) -> None:
    story.stopped["2"] = 10 * S
    assert story.breaches() == set()
    story.executions[1]["initiated_at"] += 1


def _a_gap_in_the_numbers(story: Story) -> None:
    story.attempts[1]["number"] = 3


def _a_retry_that_nobody_counted(story: Story) -> None:
    story.executions[0]["retry_count"] = 0


def _two_open_attempts(story: Story) -> None:
    story.finished = False
    story.executions[0]["status"] = "scheduled"
    open_one = {"state": "waiting", "status": None, "call_id": None, "dialled_at": None, "ended_at": None}
    story.attempts[0] |= open_one
    story.attempts[1] |= open_one


def _two_attempts_with_one_call_id(story: Story) -> None:
    story.attempts[1]["call_id"] = "1-1"


def _an_unfinished_execution_without_an_open_attempt(story: Story) -> None:
    story.finished = False
    story.executions[1]["status"] = "queued"


def _a_claim_that_was_dialled_before(story: Story) -> None:
    story.finished = False
    story.executions[1]["status"] = "queued"
    story.attempts[2] |= {"state": "claimed", "status": None, "lease_owner": "w", "slot_since": 1}


def _a_live_call_of_nobody(story: Story) -> None:
    story.finished = False
    story.executions[1]["status"] = "in-progress"
    story.attempts[2] |= {"state": "live", "status": None, "slot_since": 1, "ended_at": None}


def _a_limit_that_is_exceeded(story: Story) -> None:
    story.finished = False
    story.attempts[3]["slot_since"] = 1
    story.gates = [gate("agent", "agent", max_calls=1)]
    assert story.breaches() == set()
    story.gates[0]["max_calls"] = 0


def _a_rate_that_is_exceeded(story: Story) -> None:
    story.gates = [gate("account", "", interval_us=1 * S)]
    story.attempts[2]["dial_at"] = 10 * S
    story.attempts[3]["dial_at"] = 11 * S
    assert story.breaches() == set()
    story.attempts[3]["dial_at"] -= 1


def _a_lane_without_a_gate(story: Story) -> None:
    story.finished = False
    story.executions.append(execution("4", "queued"))
    story.attempts.append(waiting("4"))


def _a_gate_that_comes_too_late(story: Story) -> None:
    _a_lane_without_a_gate(story)
    story.gates = [gate("account", "", next_due_at=1 * S), gate("agent", "agent", next_due_at=1 * S)]
    assert story.breaches() == set()
    story.gates[1]["next_due_at"] = 2 * S


def _an_account_that_comes_too_late(story: Story) -> None:
    _a_gate_that_comes_too_late(story)
    story.gates[1]["next_due_at"] = 1 * S
    story.gates[0]["next_due_at"] = None


def _an_answer_that_nobody_gave(story: Story) -> None:
    story.wire[5]["status"] = 486


def _a_bill_that_was_sent_twice(story: Story) -> None:
    story.bills[0]["n"] = 2


def _words_of_another_attempt(story: Story) -> None:
    story.words[0]["text"] = "attempt 1"


def _a_counter_that_is_off(story: Story) -> None:
    story.miscounted["queued"] = 1


def _an_end_that_nobody_counts(story: Story) -> None:
    story.miscounted["completed"] = -1


@pytest.mark.parametrize(
    ("break_it", "breach"),
    [
        (_one_dial_too_many, Breach.DOUBLE_DIAL),
        (_one_attempt_under_two_tags, Breach.DOUBLE_DIAL),
        (_a_retry_without_a_policy, Breach.DOUBLE_DIAL),
        (_a_retry_beyond_the_budget_that_never_reached_the_wire, Breach.DOUBLE_DIAL),
        (_a_retry_after_an_end_that_is_not_retried, Breach.DOUBLE_DIAL),
        (_a_retry_because_the_work_after_the_call_failed, Breach.DOUBLE_DIAL),
        (_a_retry_after_an_answered_call, Breach.DOUBLE_DIAL),
        (_nobodys_dial, Breach.STRANGER),
        (_the_wrong_person, Breach.STRANGER),
        (_an_accepted_call_that_vanished, Breach.LOST),
        (_an_execution_without_an_attempt, Breach.LOST),
        (_busy_and_nobody_was_dialled, Breach.LOST),
        (_an_end_before_the_dial, Breach.LOST),
        (_a_retry_that_never_came, Breach.LOST),
        (_a_voicemail_whose_retry_never_came, Breach.LOST),
        (_a_lane_without_a_gate, Breach.LOST),
        (_a_gate_that_comes_too_late, Breach.LOST),
        (_an_account_that_comes_too_late, Breach.LOST),
        (_a_slot_that_is_kept, Breach.SLOT),
        (_a_slot_that_is_kept_while_others_dial, Breach.SLOT),
        (_a_dial_without_a_slot, Breach.SLOT),
        (_a_limit_that_is_exceeded, Breach.LIMIT),
        (_a_rate_that_is_exceeded, Breach.LIMIT),
        (_an_execution_that_never_ends, Breach.NOT_OVER),
        (_an_end_that_nothing_explains, Breach.NOT_OVER),
        (_an_attempt_that_stays_open_behind_an_end, Breach.NOT_OVER),
        (_a_packet_after_the_end, Breach.LATE),
        (_a_packet_before_its_grant, Breach.LATE),
        (_a_packet_before_its_intent, Breach.LATE),
        (_a_dial_that_was_decided_after_the_stop, Breach.LATE),
        (_a_gap_in_the_numbers, Breach.ROWS),
        (_a_retry_that_nobody_counted, Breach.ROWS),
        (_two_open_attempts, Breach.ROWS),
        (_two_attempts_with_one_call_id, Breach.ROWS),
        (_an_unfinished_execution_without_an_open_attempt, Breach.ROWS),
        (_a_claim_that_was_dialled_before, Breach.ROWS),
        (_a_live_call_of_nobody, Breach.ROWS),
        (_a_bill_that_was_sent_twice, Breach.ROWS),
        (_words_of_another_attempt, Breach.ROWS),
        (_a_counter_that_is_off, Breach.ROWS),
        (_an_end_that_nobody_counts, Breach.ROWS),
        (_an_answer_that_nobody_gave, Breach.RECORD),
    ],
)
def test_a_broken_history_is_found(break_it: Callable[[Story], None], breach: Breach) -> None:
    story = Story()
    break_it(story)
    assert breach in story.breaches()


def test_a_stopped_call_owes_no_retry() -> None:
    story = Story()
    _a_retry_that_never_came(story)
    story.attempts[2]["cancel_requested"] = True
    assert story.breaches() == set()


@pytest.mark.parametrize("how", [{"closed": "stopped"}, {"stopped_seq": 1}])
def test_a_stopped_lane_owes_no_retry(how: Rows) -> None:
    story = Story()
    _a_retry_that_never_came(story)
    story.gates = [gate("agent", "agent", **how)]
    assert story.breaches() == set()


def test_a_dial_that_was_cancelled_or_may_not_have_left_needs_no_packet() -> None:
    story = Story()
    story.executions[1]["status"] = "canceled"
    story.attempts[2]["status"] = "canceled"
    story.stopped["2"] = 11 * S
    del story.wire[8:]
    assert story.breaches() == set()


def test_in_the_middle_of_a_run_what_is_under_way_is_no_breach() -> None:
    story = Story()
    story.finished = False
    story.executions[1]["status"] = "ringing"
    story.attempts[2] |= {
        "state": "dialling",
        "status": None,
        "lease_owner": "w",
        "slot_since": 1,
        "ended_at": None,
    }
    story.attempts[3]["slot_since"] = 1
    assert story.breaches() == set()
