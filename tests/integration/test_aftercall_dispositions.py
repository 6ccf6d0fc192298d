"""Dispositions after a call: the stage on a real store, with a real server of a language model."""

from __future__ import annotations

from typing import Any

import pytest

from ringback.aftercall.dispositions import AT_ONCE, MAX_TEXT
from ringback.agents.dispositions import Dispositions
from ringback.app.meaning import TriedDispositions
from ringback.store.database import Database
from tests.support import agent_definitions as bodies
from tests.support.chat_server import Answer as Reply
from tests.support.chat_server import refusal
from tests.support.ledgers import Books, open_books
from tests.support.meant import desk, reply

CALL_US = 1_796_040_000_000_000
OUTCOME = {
    "name": "Outcome",
    "question": "How did the call end for {name}?",
    "category": "Quality",
    "system_prompt": "You judge calls of a clinic.",
    "model": "judge",
    "is_subjective": True,
    "is_objective": True,
    "objective_options": [
        {
            "value": "confirmed",
            "condition": "the appointment stands",
            "sub_options": [{"value": "gladly", "condition": "without a question"}],
        },
        {"value": "moved", "condition": "another day was agreed"},
    ],
}
JUDGED = {
    "reasoning_subjective": "She said that's fine.",
    "subjective": "The appointment stands.",
    "reasoning_objective": "She said yes.",
    "objective": "confirmed > gladly",
    "confidence": 0.87654,
}


@pytest.fixture
async def books(database: Database, monkeypatch: pytest.MonkeyPatch) -> Books:
    monkeypatch.setenv("RINGBACK_CONFIG", "")
    return await open_books(database)


async def test_a_disposition(books: Books) -> None:
    async with desk(books, reply(JUDGED)) as one:
        await one.asks(OUTCOME)
        body = await one.record(recipient_data={"name": "Ada"})
        [asked] = one.server.requests
        assert [row[:4] for row in await one.usage(body)] == [
            ("dispositions", "judge", "input_tokens", 100),
            ("dispositions", "judge", "output_tokens", 20),
        ]
    assert body["extracted_data"] == {
        "Quality": {
            "Outcome": {
                "subjective": "The appointment stands.",
                "objective": "gladly",
                "confidence": 0.88,
                "confidence_label": "High",
                "reasoning_subjective": "She said that's fine.",
                "reasoning_objective": "She said yes.",
                "validation": None,
                "objective_path": ["confirmed", "gladly"],
            }
        }
    }
    system = asked["messages"][0]["content"]
    for words in (
        "You judge calls of a clinic.",
        "How did the call end for Ada?",
        '- "confirmed": the appointment stands\n- "confirmed > gladly": without a question\n- "moved": ',
    ):
        assert words in system
    schema = asked["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["objective"]["enum"] == ["confirmed", "confirmed > gladly", "moved", None]


@pytest.mark.parametrize("bad", [{"objective": "none of these"}, {"confidence": 1.5}, {"confidence": None}])
async def test_an_answer_outside_of_the_options_is_none(books: Books, bad: dict[str, Any]) -> None:
    async with desk(books, reply(JUDGED | bad)) as one:
        await one.asks(OUTCOME)
        body = await one.record()
    found = body["extracted_data"]["Quality"]["Outcome"]
    assert (found["subjective"], found["objective"], found["confidence"]) == (None, None, 0.0)
    assert found["reasoning_objective"].startswith(
        "The language model openai (judge) did not answer as it was asked"
    )
    assert body["error_message"].startswith("dispositions failed: ")
    assert body["status"] == "completed"


async def test_two_of_one_name_are_both_in_the_record(books: Books) -> None:
    async with desk(books, reply(JUDGED), reply(JUDGED | {"objective": "moved"})) as one:
        await one.asks(OUTCOME, OUTCOME)
        body = await one.record()
    found = body["extracted_data"]["Quality"]
    assert sorted(found) == ["Outcome", "Outcome (2)"]
    assert {answer["objective"] for answer in found.values()} == {"gladly", "moved"}


LABELS = [(0.8, "High"), (0.795, "High"), (0.79, "Medium"), (0.5, "Medium"), (0.49, "Low"), (0, "Low")]


@pytest.mark.parametrize(("confidence", "label"), LABELS)
async def test_labels(books: Books, confidence: float, label: str) -> None:
    async with desk(books, reply(JUDGED | {"confidence": confidence, "objective": None})) as one:
        await one.asks(OUTCOME)
        body = await one.record()
    found = body["extracted_data"]["Quality"]["Outcome"]
    assert (found["confidence_label"], found["objective"]) == (label, None)
    assert "objective_path" not in found


TYPES: dict[str, tuple[dict[str, Any], str, str]] = {
    "numeric": ({}, "42", "about forty"),
    "timestamp": ({}, "2026-12-01T10:00:00", "tomorrow"),
    "boolean": ({}, "true", "maybe"),
    "email": ({}, "ada@example.com", "ada at example dot com"),
    "regex": ({"subjective_type_config": {"pattern": "^[0-9]{4}$", "description": "a PIN"}}, "1234", "12345"),
}


def typed(kind: str) -> dict[str, Any]:
    more, _, _ = TYPES[kind]
    return {"name": "It", "question": "Which?", "is_subjective": True, "subjective_type": kind, **more}


def answered(text: str) -> Reply:
    return reply({"reasoning_subjective": "So it was said.", "subjective": text, "confidence": 0.6})


@pytest.mark.parametrize("kind", TYPES)
async def test_types_of_a_subjective_answer(books: Books, kind: str) -> None:
    _, good, bad = TYPES[kind]
    async with desk(books, answered(good)) as one:
        await one.asks(typed(kind))
        found = (await one.record())["extracted_data"]["General"]["It"]
    assert found["subjective"] == good
    assert found["validation"] == {"is_valid": True, "expected_type": kind}
    async with desk(books, answered(bad), answered(good)) as one:  # asked once more
        await one.asks(typed(kind))
        found = (await one.record())["extracted_data"]["General"]["It"]
        assert found["validation"] == {"is_valid": True, "expected_type": kind}
        assert "`subjective` must be" in one.server.requests[1]["messages"][-1]["content"]
    async with desk(books, answered(bad)) as one:  # it says so twice: that is what it says
        await one.asks(typed(kind))
        body = await one.record()
    found = body["extracted_data"]["General"]["It"]
    assert (found["subjective"], body["error_message"]) == (bad, None)
    assert found["validation"] == {"is_valid": False, "expected_type": kind}
    async with desk(books, answered("")) as one:  # nothing was found
        await one.asks(typed(kind))
        found = (await one.record())["extracted_data"]["General"]["It"]
    assert (found["subjective"], found["validation"]) == ("", None)


async def test_categories_win_over_values_of_the_same_name(books: Books) -> None:
    async with desk(books, reply({"Quality": "good", "age": 42}), reply(JUDGED)) as one:
        one.extracts(extraction_details="Quality : of the call\nage : of the patient")
        await one.asks(OUTCOME, OUTCOME | {"category": "Other"})
        body = await one.record()
    assert body["extracted_data"]["age"] == 42
    assert set(body["extracted_data"]["Quality"]) == {"Outcome"}
    assert set(body["extracted_data"]) == {"Quality", "age", "Other"}


async def test_one_that_fails_takes_no_other_with_it(books: Books) -> None:
    async with desk(books) as one:
        one.server.brain = lambda request: (
            refusal(500, "boom") if request["model"] == "dead" else reply(JUDGED)
        )
        await one.asks(OUTCOME, OUTCOME | {"name": "Second", "model": "dead"})
        body = await one.record()
        assert [row[3] for row in await one.usage(body)] == [100, 20]
    found = body["extracted_data"]["Quality"]
    assert found["Outcome"]["objective"] == "gladly"
    assert found["Second"]["objective"] is None
    assert "answered HTTP 500" in found["Second"]["reasoning_objective"]
    assert "answered HTTP 500" in body["error_message"]


async def test_a_long_answer_is_cut(books: Books) -> None:
    long = {"subjective": "x" * 5_000, "reasoning_subjective": "y" * 5_000}
    async with desk(books, reply(JUDGED | long)) as one:
        await one.asks(OUTCOME)
        found = (await one.record())["extracted_data"]["Quality"]["Outcome"]
    assert (found["subjective"], found["reasoning_subjective"]) == ("x" * MAX_TEXT, "y" * MAX_TEXT)


async def test_many_questions_are_not_asked_all_at_once(books: Books) -> None:
    async with desk(books, Reply([0.01, *reply(JUDGED).pieces])) as one:
        await one.asks(*(OUTCOME | {"name": f"n{n}"} for n in range(30)))
        body = await one.record()
        assert len(one.server.requests) == 30
        assert one.server.connections <= AT_ONCE
    assert len(body["extracted_data"]["Quality"]) == 30


async def test_dispositions_without_a_language_model(books: Books) -> None:
    async with desk(books, reply({}), body=bodies.scripted(), settings={"llm": {}}) as one:
        await one.asks(
            {"name": "Age", "question": "How old?", "is_subjective": True, "subjective_type": "numeric"},
            {"name": "Mood", "question": "What mood?", "is_subjective": True},
            {
                "name": "Outcome",
                "question": "Did it go well?",
                "is_objective": True,
                "objective_options": [{"value": "yes", "condition": "it did"}],
            },
        )
        body = await one.record()
        [note] = await one.notes(body, "dispositions")
    found = body["extracted_data"]["General"]
    assert found["Age"] == {
        "subjective": "42",
        "objective": None,
        "confidence": 0.9,
        "confidence_label": "High",
        "reasoning_subjective": 'found without a language model in "I am forty-two."',
        "reasoning_objective": None,
        "validation": {"is_valid": True, "expected_type": "numeric"},
    }
    assert (found["Mood"]["subjective"], found["Mood"]["confidence"]) == ("", 0.0)
    assert found["Outcome"]["objective"] is None
    assert found["Outcome"]["reasoning_objective"] == "without a language model no option is chosen"
    assert "without a language model: no option is chosen" in note


async def test_dispositions_are_tried_on_a_written_transcript(books: Books) -> None:
    async with desk(books, reply(JUDGED)) as one:
        await one.asks(OUTCOME)
        agent, kept = await one.created(), Dispositions(books.db, books.clock)
        tried = TriedDispositions(one.providers)
        dispositions = await kept.of_agent(books.account_id, agent.id)
        found = await tried(agent, dispositions, "Agent: Fine?\nCustomer: Yes.", CALL_US)
        [asked] = one.server.requests
    assert found["Quality"]["Outcome"]["objective"] == "gladly"
    said = '[{"assistant": "Fine?"}, {"user": "Yes."}]'
    assert (
        asked["messages"][1]["content"]
        == f"The call took place on Monday, 2026-11-30. Its transcript:\n{said}"
    )
