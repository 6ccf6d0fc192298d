"""A store whose calls add up: one that was completed, one that was dialled twice, one that waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ringback.billing.prices import Prices
from ringback.billing.rating import telephone_lines
from ringback.executions.lifecycle import Status
from ringback.executions.record import AttemptState, Execution, Turn, UsageKind, UsageLine
from ringback.store.database import Database
from tests.support.ledgers import Books, open_books

RETRIED = {
    "enabled": True,
    "max_retries": 1,
    "retry_on_statuses": ["failed"],
    "retry_on_voicemail": False,
    "retry_intervals_minutes": [1],
}
LEG_US = 61_500_000
"""An answered call: two started minutes."""


@dataclass(frozen=True)
class Billed:
    books: Books
    completed: Execution
    retried: Execution
    waiting: Execution


async def billed(db: Database) -> Billed:
    books = await open_books(db)
    completed = await books.create()
    await talk(books, completed, "model")
    retried = await books.create(retry_config=RETRIED)
    where = books.account_id, retried.id
    await books.ledger.transition(*where, Status.INITIATED, attempt={"state": AttemptState.DIALLING})
    again = await books.ledger.transition(*where, Status.FAILED)
    assert again.status is Status.SCHEDULED
    await books.ledger.transition(*where, Status.QUEUED)
    await talk(books, retried, "other")
    return Billed(books, completed, retried, await books.create())


async def talk(books: Books, call: Execution, model: str) -> Execution:
    """Dial, talk and complete, with rated lines."""
    ledger, where = books.ledger, (call.account_id, call.id)
    await ledger.transition(*where, Status.INITIATED, attempt={"state": AttemptState.DIALLING})
    answered = books.clock.now_us()
    await ledger.transition(
        *where, Status.IN_PROGRESS, attempt={"state": AttemptState.LIVE, "answered_at": answered}
    )
    await ledger.add_turns(
        *where, [Turn(0, "assistant", "Hello?", 0, 900), Turn(1, "user", "Yes.", 1200, 2000)]
    )
    books.clock.us += LEG_US - 2_000
    ended = answered + LEG_US
    lines = [
        UsageLine(
            UsageKind.SYNTHESIZER,
            "p",
            "v",
            "characters",
            6,
            turn=0,
            at_us=answered,
            purpose="welcome_message",
        ),
        UsageLine(UsageKind.TRANSCRIBER, "p", "t", "ms", 2_300, turn=1, at_us=answered + 1),
        UsageLine(UsageKind.LLM, "p", model, "input_tokens", 700, turn=2, at_us=answered + 2),
        UsageLine(UsageKind.LLM, "p", model, "output_tokens", 31, turn=2, at_us=answered + 2),
    ]
    await ledger.transition(
        *where,
        Status.CALL_DISCONNECTED,
        attempt={"ended_at": ended, "conversation_ms": 61_400},
        usage=await rated(books, lines),
    )
    return await ledger.transition(
        *where,
        Status.COMPLETED,
        attempt={"recording_path": "a.wav", "recording_token": call.id, "recording_ms": 61_420},
        usage=await rated(books, telephone_lines(LEG_US // 1000, call.provider, answered)),
    )


async def rated(books: Books, lines: Sequence[UsageLine]) -> list[UsageLine]:
    book = await Prices(books.db).book(books.account_id)
    return [book.rated(line) for line in lines]


async def break_it(db: Database, *statements: str) -> None:
    async with db.transaction() as tx:
        for statement in statements:
            await tx.execute(statement)
