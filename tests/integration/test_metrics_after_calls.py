"""What operators see of the work after calls: webhooks to real receivers, questions to a real server."""

from __future__ import annotations

import pytest

from ringback.aftercall.pipeline import NotYet
from ringback.app.telemetry import catalogue
from ringback.app.telemetry.catalogue import Metric
from ringback.app.telemetry.telemetry import Telemetry
from ringback.app.telemetry.webhook_figures import of_webhooks
from ringback.executions.lifecycle import Status
from ringback.store.database import Database
from ringback.webhooks.deliverer import Deliverer
from tests.support.batches import Deaf
from tests.support.chat_server import Answer, refusal
from tests.support.http_server import Page
from tests.support.ledgers import open_books
from tests.support.meant import desk, reply
from tests.support.webhook_post import SECOND, Post, post_office, receiver

DETAILS = "age (number) : of the patient"


class Kept:
    """A sink."""

    def __init__(self) -> None:
        self.values: list[tuple[str, float, tuple[str, ...]]] = []

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        self.values.append((metric.name, value, labels))

    def of(self, metric: Metric, *labels: str) -> list[float]:
        return [value for name, value, given in self.values if name == metric.name and given == labels]


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def telemetry(kept: Kept) -> Telemetry:
    return Telemetry("test", [kept])


def watched(post: Post, telemetry: Telemetry) -> Deliverer:
    return Deliverer(post.db, post.clock, Deaf(), post.client, chance=lambda: 0.5, told=telemetry.webhook)


async def test_webhooks_are_counted_by_what_came_of_them(
    database: Database, kept: Kept, telemetry: Telemetry
) -> None:
    async with post_office(database) as post, receiver(lambda: post.clock.us) as hook:
        post.deliverer = watched(post, telemetry)
        await post.tell(hook.url)
        hook.answer = lambda request: Page(status=503 if len(hook.got) < 3 else 200)
        await post.call(Status.INITIATED)
        await post.until(post.clock.us + 60 * SECOND)
    assert kept.of(catalogue.WEBHOOKS, "5xx") == [1, 1]
    assert kept.of(catalogue.WEBHOOKS, "2xx") == [1, 1]
    assert len(kept.of(catalogue.WEBHOOK)) == 4


async def test_nobody_there_is_no_answer(database: Database, kept: Kept, telemetry: Telemetry) -> None:
    async with post_office(database) as post:
        async with receiver(lambda: post.clock.us) as hook:
            url = hook.url
        post.deliverer = watched(post, telemetry)
        await post.tell(url)
        await post.call()
        for _ in range(5):
            due = await post.deliverer.settle()
            assert due is not None
            post.clock.us = due
        assert kept.of(catalogue.WEBHOOKS, "none") == [1] * 5
        sample = of_webhooks(telemetry, post.db, post.clock)
        await sample()
        post.clock.us += 7 * SECOND
        await sample()
    assert kept.of(catalogue.WEBHOOKS_DOWN) == [1, 1]
    first, second = kept.of(catalogue.WEBHOOK_WAIT)
    assert (first, second) == pytest.approx((0.0, 7.0), abs=0.01)


async def test_without_webhooks_nothing_waits(database: Database, kept: Kept, telemetry: Telemetry) -> None:
    async with post_office(database) as post:
        await of_webhooks(telemetry, post.db, post.clock)()
    assert kept.of(catalogue.WEBHOOK_WAIT) == kept.of(catalogue.WEBHOOKS_DOWN) == [0]


@pytest.mark.parametrize(
    ("answer", "result"), [(reply({"age": 42}), "answered"), (reply("nothing of use"), "unanswered")]
)
async def test_questions_are_counted_by_what_came_of_them(
    database: Database, kept: Kept, telemetry: Telemetry, answer: Answer, result: str
) -> None:
    books = await open_books(database)
    async with desk(books, answer, telemetry=telemetry) as one:
        one.extracts(extraction_details=DETAILS)
        await one.record()
    assert kept.of(catalogue.QUESTIONS, "extraction", result) == [1]
    assert len(kept.of(catalogue.AFTER_CALL, "extraction")) == 1
    assert kept.of(catalogue.PROVIDER, "question", "openai"), "how long the model took to its first word"


async def test_a_model_that_is_away_is_an_error_of_its_and_a_failure_of_the_stage(
    database: Database, kept: Kept, telemetry: Telemetry
) -> None:
    books = await open_books(database)
    async with desk(books, refusal(503, "overloaded"), telemetry=telemetry) as one:
        one.extracts(extraction_details=DETAILS)
        with pytest.raises(NotYet):
            await one.record()
    assert kept.of(catalogue.AFTER_CALL_FAILED, "extraction") == [1]
    assert sum(kept.of(catalogue.PROVIDER_ERRORS, "question", "openai")) >= 1
    assert not kept.of(catalogue.AFTER_CALL, "extraction")
