"""`ringback keys`: the API keys of an account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from ringback.accounts.accounts import FIRST_ACCOUNT_ID
from ringback.accounts.keys import ApiKey, BadKey, Keys, UnknownAccount
from ringback.cli.store import with_store
from ringback.clock import Clock
from ringback.store.database import Database

app = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)

AccountOption = Annotated[str, typer.Option(help="The account's id.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    account: AccountOption = FIRST_ACCOUNT_ID,
    key: Annotated[
        str | None,
        typer.Option(help="Take this key instead of a new one: for clients that bring theirs along."),
    ] = None,
) -> None:
    """Create a key, which is shown only this once."""

    async def work(db: Database, clock: Clock) -> tuple[ApiKey, str]:
        return await Keys(db, clock).create(account, name, key)

    try:
        _, text = with_store(work)
    except (BadKey, UnknownAccount) as error:
        typer.echo(f"ringback: {error}", err=True)
        raise typer.Exit(1) from None
    typer.echo(text)


@app.command("list")
def list_keys(account: AccountOption = FIRST_ACCOUNT_ID) -> None:
    """List the keys of an account by their first characters."""

    async def work(db: Database, clock: Clock) -> list[ApiKey]:
        return await Keys(db, clock).list(account)

    for key in with_store(work):
        state = "valid" if key.revoked_at is None else f"revoked {_time(key.revoked_at)}"
        typer.echo(f"{key.id}  {key.prefix}...  {_time(key.created_at)}  {state}  {key.name}")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `ringback keys list` shows it.")],
    account: AccountOption = FIRST_ACCOUNT_ID,
) -> None:
    """Revoke a key for good."""

    async def work(db: Database, clock: Clock) -> bool:
        return await Keys(db, clock).revoke(account, key_id)

    if not with_store(work):
        typer.echo(f"ringback: the account has no valid key {key_id}", err=True)
        raise typer.Exit(1)
    typer.echo("revoked")


def _time(us: int) -> str:
    return datetime.fromtimestamp(us / 1e6, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
