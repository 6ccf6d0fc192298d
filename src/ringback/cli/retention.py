"""`ringback retention`: how long recordings, transcripts and records are kept, and what has become too old."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from ringback.accounts.accounts import Account, Accounts
from ringback.accounts.keys import UnknownAccount
from ringback.accounts.retention import BadPolicy, Policies, Policy
from ringback.app.settings import load
from ringback.cli.store import with_store
from ringback.clock import Clock
from ringback.executions.ledger import Ledger
from ringback.executions.retention import Removed, Retention
from ringback.store.database import Database

app = typer.Typer(
    help="Show and set how long recordings, transcripts and records are kept.", no_args_is_help=True
)

_FOREVER = "forever"

Days = Annotated[str | None, typer.Option(help="Days, or 'forever'; not given: as it is.")]


@app.command()
def show() -> None:
    """Show what each account keeps, for how many days."""

    async def work(db: Database, clock: Clock) -> list[tuple[Account, Policy]]:
        policies = Policies(db)
        return [(account, await policies.get(account.id)) for account in await Accounts(db, clock).every()]

    rows = [(account.id, account.name, *_days(policy)) for account, policy in with_store(work)]
    _print(("account", "name", "recordings", "transcripts", "records"), rows)


@app.command("set")
def set_days(
    account: Annotated[str, typer.Argument(help="The account's id, as `ringback accounts list` shows it.")],
    recordings: Days = None,
    transcripts: Days = None,
    records: Days = None,
) -> None:
    """Set how many days an account keeps things. What is older goes within the hour, and can't be had again."""
    given = {"recordings": recordings, "transcripts": transcripts, "records": records}
    try:
        changes = {name: _number(name, text) for name, text in given.items() if text is not None}
        if not changes:
            raise BadPolicy("nothing to set: give --recordings, --transcripts or --records")

        async def work(db: Database, clock: Clock) -> Policy:
            return await Policies(db).change(account, changes)

        policy = with_store(work)
    except (BadPolicy, UnknownAccount) as error:
        typer.echo(f"ringback: {error}", err=True)
        raise typer.Exit(1) from None
    _print(("account", "recordings", "transcripts", "records"), [(account, *_days(policy))])
    typer.echo("`ringback retention run --dry-run` shows what is too old now.")


@app.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would go.")] = False,
) -> None:
    """Remove what is too old now; the API process does the same every hour."""
    settings = load()

    async def work(db: Database, clock: Clock) -> list[Removed]:
        retention = Retention(db, Ledger(db, clock, settings.base_url), clock, settings.recordings)
        return await (retention.preview() if dry_run else retention.apply())

    removed = with_store(work)
    if not removed:
        typer.echo("nothing is too old")
        return
    rows = [(row.account_id, str(row.recordings), str(row.transcripts), str(row.records)) for row in removed]
    _print(("account", "recordings", "transcripts", "records"), rows)
    typer.echo("would be removed; nothing was" if dry_run else "removed")


def _number(name: str, text: str) -> int | None:
    if text == _FOREVER:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise BadPolicy(f"{name}: {text!r} is neither a whole number of days nor '{_FOREVER}'")
    return int(text)


def _days(policy: Policy) -> tuple[str, str, str]:
    recordings, transcripts, records = (
        _FOREVER if days is None else str(days)
        for days in (policy.recordings, policy.transcripts, policy.records)
    )
    return recordings, transcripts, records


def _print(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(map(str.ljust, line, widths)).rstrip())
