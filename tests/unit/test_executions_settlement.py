"""What the end of an attempt enters in the books."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringback.executions.settlement import Book, Entry, EntryKind, entry_id, settlement

AMOUNTS = st.integers(0, 10**15)


def moved(entries: list[Entry], book: Book) -> int:
    return sum(entry.added_to(book) for entry in entries)


def seen(entries: list[Entry]) -> list[tuple[str, str, str, int]]:
    return [(str(entry.kind), str(entry.debit), str(entry.credit), entry.amount) for entry in entries]


def test_what_was_reserved_and_not_used_goes_back() -> None:
    assert seen(settlement(100, 64, 32, unlimited=False)) == [
        ("release", "reserved", "wallet", 64),
        ("charge", "wallet", "revenue", 32),
    ]


def test_what_nobody_answered_costs_nothing() -> None:
    assert seen(settlement(0, 64, 0, unlimited=False)) == [("release", "reserved", "wallet", 64)]


def test_what_exceeds_the_reservation_is_taken_as_far_as_the_wallet_goes() -> None:
    assert seen(settlement(6, 64, 70, unlimited=False)) == [
        ("release", "reserved", "wallet", 64),
        ("charge", "wallet", "revenue", 70),
    ]
    assert seen(settlement(5, 64, 70, unlimited=False)) == [
        ("release", "reserved", "wallet", 64),
        ("charge", "wallet", "revenue", 69),
        ("write-off", "written-off", "revenue", 1),
    ]
    assert seen(settlement(0, 0, 3, unlimited=False)) == [("write-off", "written-off", "revenue", 3)]


def test_an_unlimited_wallet_pays_all_of_it() -> None:
    assert seen(settlement(-5, 0, 70, unlimited=True)) == [("charge", "wallet", "revenue", 70)]
    assert settlement(-5, 0, 0, unlimited=True) == []


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_a_limited_wallet_never_falls_below_zero_and_never_pays_more_than_the_call_cost(
    balance: int, reserved: int, charge: int
) -> None:
    entries = settlement(balance, reserved, charge, unlimited=False)
    left = balance + moved(entries, Book.WALLET)
    assert moved(entries, Book.RESERVED) == -reserved
    assert moved(entries, Book.REVENUE) == charge
    assert left == max(0, balance + reserved - charge)
    assert moved(entries, Book.WRITTEN_OFF) == -max(0, charge - balance - reserved)
    assert sum(moved(entries, book) for book in Book) == 0
    assert all(entry.amount > 0 and entry.debit is not entry.credit for entry in entries)
    assert len({entry.kind for entry in entries}) == len(entries)


@given(st.integers(-(10**15), 10**15), AMOUNTS, AMOUNTS)
def test_an_unlimited_one_writes_nothing_off(balance: int, reserved: int, charge: int) -> None:
    entries = settlement(balance, reserved, charge, unlimited=True)
    assert moved(entries, Book.WALLET) == reserved - charge
    assert EntryKind.WRITE_OFF not in {entry.kind for entry in entries}


@given(st.integers(0, 2**60), st.integers(0, 2**60), st.integers(0, 255), st.integers(0, 255))
def test_ids_rise_with_the_time_and_with_the_place(early: int, late: int, first: int, then: int) -> None:
    if (early, first) < (late, then):
        assert entry_id(early, first) < entry_id(late, then)
    assert entry_id(early, first) != entry_id(early, first)
