import asyncio
import threading

import pytest

from ringback.media.speech import SpeechError
from ringback.speech.work import WorkQueue


@pytest.fixture
def gate():  # type: ignore[no-untyped-def]
    opened = threading.Event()
    yield opened
    opened.set()


async def test_it_returns_what_the_job_returns_and_raises_what_it_raises() -> None:
    queue = WorkQueue("worker", workers=1, limit=1)
    assert await queue.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        await queue.run(divmod, 7, 0)
    assert await queue.run(divmod, 9, 2) == (4, 1)
    queue.close()


async def test_beyond_the_limit_is_one_sentence_at_once(gate: threading.Event) -> None:
    queue = WorkQueue("worker", workers=1, limit=2)
    waiting = [asyncio.create_task(queue.run(gate.wait, 5)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(SpeechError, match=r"^The worker is overloaded: 2 requests are waiting\.$"):
        await queue.run(gate.wait, 5)
    gate.set()
    assert await asyncio.gather(*waiting) == [True, True]
    queue.close()


async def test_a_cancelled_job_that_waits_is_never_begun_and_frees_its_place(gate: threading.Event) -> None:
    queue = WorkQueue("worker", workers=1, limit=2)
    begun: list[int] = []
    first = asyncio.create_task(queue.run(gate.wait, 5))
    second = asyncio.create_task(queue.run(begun.append, 2))
    await asyncio.sleep(0)
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await asyncio.sleep(0)
    third = asyncio.create_task(queue.run(begun.append, 3))
    gate.set()
    await asyncio.gather(first, third)
    assert begun == [3]
    queue.close()
