"""Accounts and keys on real databases."""

from __future__ import annotations

import asyncio
import re

import pytest

from ringback.accounts.accounts import Accounts, ensure_first_account
from ringback.accounts.keys import BadKey, Keys, UnknownAccount
from ringback.accounts.sub_accounts import Details, SubAccounts
from ringback.clock import SystemClock
from ringback.store.database import Database, open_database


async def test_the_first_start_gives_one_key_once(database: Database, database_url: str) -> None:
    other = await open_database(database_url)
    try:
        given = await asyncio.gather(
            *(ensure_first_account(db, SystemClock()) for db in (database, other) * 4)
        )
    finally:
        await other.close()
    keys = [key for key in given if key is not None]
    assert len(keys) == 1
    assert re.fullmatch(r"bn-[\w-]{43}", keys[0])
    assert await ensure_first_account(database, SystemClock()) is None
    accounts = await Accounts(database, SystemClock()).every()
    assert len(accounts) == 1
    assert await Keys(database, SystemClock()).account_of(keys[0]) == accounts[0].id


async def test_there_is_no_first_account_where_there_is_one(database: Database) -> None:
    account = await Accounts(database, SystemClock()).create("mine")
    assert await ensure_first_account(database, SystemClock()) is None
    assert await Accounts(database, SystemClock()).every() == [account]


async def test_accounts(database: Database) -> None:
    accounts = Accounts(database, SystemClock())
    one, two = await accounts.create("one"), await accounts.create("two")
    assert await accounts.get(one.id) == one
    assert await accounts.get("nobody") is None
    assert await accounts.every() == [one, two]


async def test_a_key_opens_its_account_until_it_is_revoked(database: Database) -> None:
    accounts, keys = Accounts(database, SystemClock()), Keys(database, SystemClock())
    one, two = await accounts.create("one"), await accounts.create("two")
    row, key = await keys.create(one.id, "laptop")
    _, other = await keys.create(two.id, "laptop")
    assert (await keys.account_of(key), await keys.account_of(other)) == (one.id, two.id)
    for wrong in ("", key + "x", key[:-1], key.upper(), "bn-", "\ud83d", "é"):
        assert await keys.account_of(wrong) is None
    assert await keys.revoke(two.id, row.id) is False
    assert await keys.account_of(key) == one.id
    assert await keys.revoke(one.id, row.id) is True
    assert await keys.revoke(one.id, row.id) is False
    assert await keys.account_of(key) is None
    assert await keys.account_of(other) == two.id


async def test_a_list_shows_no_key(database: Database) -> None:
    account, keys = await Accounts(database, SystemClock()).create("one"), Keys(database, SystemClock())
    made = [await keys.create(account.id, name) for name in ("a", "b")]
    await keys.revoke(account.id, made[0][0].id)
    listed = await keys.list(account.id)
    assert [row.name for row in listed] == ["a", "b"]
    assert [row.revoked_at is None for row in listed] == [False, True]
    stored = repr(listed) + repr(await database.fetch_all("SELECT * FROM api_keys"))
    for row, key in made:
        assert row.prefix == key[:8]
        assert key not in stored
    assert await keys.list("nobody") == []


async def test_a_key_that_was_brought_along(database: Database) -> None:
    account, keys = await Accounts(database, SystemClock()).create("one"), Keys(database, SystemClock())
    row, key = await keys.create(account.id, "moved", key="whatever-it-was-before")
    assert (row.prefix, key) == ("whatever", "whatever-it-was-before")
    assert await keys.account_of(key) == account.id
    with pytest.raises(BadKey, match="stored already"):
        await keys.create(account.id, "again", key=key)
    for bad in ("short", "with a space in it", "ümläute-are-not-ascii"):
        with pytest.raises(BadKey, match="printable ASCII"):
            await keys.create(account.id, "bad", key=bad)
    with pytest.raises(UnknownAccount):
        await keys.create("nobody", "x")
    assert len(await keys.list(account.id)) == 1


async def test_another_key_of_a_sub_account_looks_like_its_first(database: Database) -> None:
    accounts, keys = Accounts(database, SystemClock()), Keys(database, SystemClock())
    parent = await accounts.create("parent")
    sub, first = await SubAccounts(database, SystemClock()).create(parent.id, Details("branch"))
    _, second = await keys.create(sub.id, "laptop")
    assert re.fullmatch(r"sa-[0-9a-f]{32}", second)
    assert (await keys.account_of(first), await keys.account_of(second)) == (sub.id, sub.id)
    await SubAccounts(database, SystemClock()).delete(parent.id, sub.id)
    assert (await keys.account_of(first), await keys.account_of(second)) == (None, None)
    with pytest.raises(UnknownAccount):
        await keys.create(sub.id, "too late")
