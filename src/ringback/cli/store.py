"""The store for commands that run for a moment: opened, brought to the newest schema, closed again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from ringback.app.settings import load
from ringback.clock import Clock, SystemClock
from ringback.store.database import Database, StoreError, open_database
from ringback.store.migrate import upgrade
from ringback.store.wakeup import open_wakeup

T = TypeVar("T")


def with_store(work: Callable[[Database, Clock], Awaitable[T]]) -> T:
    """Run `work` on the installation's store. Raises SettingsError, StoreError."""
    settings = load()

    async def run() -> T:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        await upgrade(settings.store_url)
        db = await open_database(settings.store_url)
        try:
            return await work(db, SystemClock())
        finally:
            await db.close()

    return asyncio.run(run())


async def wake(db: Database, topic: str) -> None:
    """Let the processes of the installation that wait for a topic look at once. Where that cannot be, it says so: they
    look by themselves after a while."""
    try:
        wakeup = await open_wakeup(db, load().data)
    except StoreError as error:
        typer.echo(f"ringback: it is done, but holds only in a moment: {error}", err=True)
        return
    await wakeup.notify(topic)
    await wakeup.close()
