"""The thread that writes recordings: everything is done, once, in its order."""

import threading

import pytest

from ringback.media.writer import Writer


@pytest.fixture
def writer():
    return Writer()


def test_work_is_done_in_the_order_it_was_given(writer):
    done = []
    for number in range(50):
        writer.soon(lambda number=number: done.append(number))
    assert writer.now(lambda: len(done)).result(10) == 50
    assert done == list(range(50))


def test_work_that_nobody_hurries_is_done_too(writer):
    done = threading.Event()
    writer.soon(done.set)
    assert done.wait(10)
    done.clear()
    writer.soon(done.set)
    assert done.wait(10)


def test_what_fails_is_told_and_the_next_is_done(writer, caplog):
    writer.soon(lambda: 1 / 0)
    with pytest.raises(KeyError):
        writer.now(lambda: {}["missing"]).result(10)
    assert writer.now(lambda: "next").result(10) == "next"
    assert "ZeroDivisionError" in caplog.text


def test_many_threads_lose_nothing(writer):
    done = []

    def give(first):
        for number in range(first, first + 300):
            writer.soon(lambda number=number: done.append(number))
            if number % 40 == 0:
                assert writer.now(lambda: True).result(10)

    givers = [threading.Thread(target=give, args=(first,)) for first in (0, 1000, 2000)]
    for giver in givers:
        giver.start()
    for giver in givers:
        giver.join(20)
    writer.now(lambda: None).result(10)
    assert sorted(done) == [*range(300), *range(1000, 1300), *range(2000, 2300)]
