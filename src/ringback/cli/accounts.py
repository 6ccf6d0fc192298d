"""`ringback accounts`: who uses this installation."""

from __future__ import annotations

from typing import Annotated

import typer

from ringback.accounts.accounts import Account, Accounts
from ringback.accounts.keys import Keys
from ringback.cli.store import with_store
from ringback.clock import Clock
from ringback.store.database import Database

app = typer.Typer(help="Create and list accounts.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    email: Annotated[str | None, typer.Option(help="For GET /user/me.")] = None,
) -> None:
    """Create an account with its first key, which is shown only this once."""

    async def work(db: Database, clock: Clock) -> tuple[Account, str]:
        account = await Accounts(db, clock).create(name, email)
        _, key = await Keys(db, clock).create(account.id, "first key")
        return account, key

    account, key = with_store(work)
    typer.echo(f"account {account.id}\nkey     {key}")


@app.command("list")
def list_accounts() -> None:
    """List all accounts, oldest first."""

    async def work(db: Database, clock: Clock) -> list[Account]:
        return await Accounts(db, clock).every()

    for account in with_store(work):
        parent = f"  sub-account of {account.parent_id}" if account.parent_id else ""
        typer.echo(f"{account.id}  {account.name}{parent}")
