"""What a stencil makes of lines; that it is what rendering makes is shown beside the ledger (test_ledger_bulk)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace

import pytest

from ringback.executions import rows
from ringback.executions.lifecycle import Status
from ringback.executions.opening import created, first_attempt
from ringback.executions.record import NewExecution
from ringback.executions.rendering import shown
from ringback.executions.stencil import Drawing, Line, Stencil

URL = "http://example.com"
LIKE = replace(
    created(NewExecution("account", "agent", "", None, "trunk", batch_id="ba" * 16), 0, 0),
    status=Status.PREPARED,
)
SEQ = 1_700_000_000_999_990


def _drawing(*data: Mapping[str, str], ours: str | None = "+14155550100") -> Drawing:
    lines = [Line(2 + n, f"+1415555{n:04}", one, 100 * n) for n, one in enumerate(data)]
    return Stencil(LIKE, lambda line: ours, URL).draw(lines)


def test_ids_are_random_uuids_that_lie_together() -> None:
    one, other = _drawing(*[{}] * 500), _drawing(*[{}] * 500)
    ids = [drawn.id for drawing in (one, other) for drawn in drawing.drawn]
    assert len(set(ids)) == 1000
    for name in ids:
        parsed = uuid.UUID(name)
        assert (str(parsed), parsed.version, parsed.variant) == (name, 4, uuid.RFC_4122)
    assert ids[:500] == sorted(ids[:500])
    assert len({name[:13] for name in ids[:500]}) == 1
    assert ids[0][:13] != ids[500][:13]
    # All that follows is of each alone.
    for place in (*range(15, 18), 19, *range(20, 23), *range(24, 36)):
        assert len({name[place] for name in ids}) == (4 if place == 19 else 16)


def test_rows_are_what_rendering_makes_of_each_over_the_end_of_a_second() -> None:
    data = [
        {"name": "Ada", "city": "Köln %s"},
        {"name": 'half \ud83d "q" \\u0041', "city": "日本 \U0001f600 \x00"},
        {"name": "other", "city": ""},
        {"city": "order", "name": "of columns"},
        {},
        {"account": "2024-01-01T00:00:00Z"},
    ] * 4
    made, attempted = _drawing(*data).rows(SEQ)
    seconds = set()
    for place, (row, attempt_row) in enumerate(zip(made.rows, attempted.rows, strict=True)):
        found = dict(zip(made.columns, row, strict=True))
        execution = replace(
            LIKE,
            id=str(found["id"]),
            seq=SEQ + place,
            updated_at=SEQ + place,
            to_number=f"+1415555{place:04}",
            from_number="+14155550100",
            recipient_data=data[place],
            line=2 + place,
        )
        attempt = replace(first_attempt(execution, SEQ + place), due_at=0)
        assert found == rows.columns_of(execution) | shown(execution, attempt, (), (), URL)
        assert dict(zip(attempted.columns, attempt_row, strict=True)) == rows.columns_of(attempt)
        seconds.add(json.loads(str(found["body"]))["created_at"])
    assert len(seconds) == 2


@pytest.mark.parametrize("ours", [None, "+14155550100", "sales \0 \ud83d"])
def test_numbers_of_ours(ours: str | None) -> None:
    made, _ = _drawing({}, ours=ours).rows(SEQ)
    [row] = made.rows
    found = dict(zip(made.columns, row, strict=True))
    assert found["from_number"] == (ours and rows.clean(ours))
    assert json.loads(str(found["body"]))["agent_number"] == ours
