"""`ringback limits`: how many calls accounts, agents and batches may have at a time, and how fast they dial."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ringback.accounts.sub_accounts import SubAccounts
from ringback.app.settings import load
from ringback.cli.store import wake, with_store
from ringback.clock import Clock
from ringback.dialing.limits import interval_us
from ringback.dialing.queue import CALLS
from ringback.store.database import Database
from ringback.store.queries import accounts, agents, batches, gates, status

app = typer.Typer(
    help="Show and set limits of accounts, agents and batches; those of the trunk are settings.",
    no_args_is_help=True,
)


class _Refused(Exception):
    """The message says why."""


@app.command()
def show() -> None:
    """Show who has limits of their own; for other accounts the settings hold, the rest is unlimited."""

    async def work(db: Database, _: Clock) -> list[Mapping[str, Any]]:
        return [*await status.limited(db)]

    for row in with_store(work):
        typer.echo(_line(row["account_id"], row["kind"], row["key"], row["max_calls"], row["interval_us"]))


@app.command("set")
def set_limits(
    account: Annotated[str, typer.Argument(help="The account's id, as `ringback accounts list` shows it.")],
    agent: Annotated[str | None, typer.Option(help="Of this agent, with all its batches.")] = None,
    batch: Annotated[str | None, typer.Option(help="Of this batch.")] = None,
    calls: Annotated[
        int | None, typer.Option(min=0, help="Calls at a time; 0: no limit of its own. Not given: as it is.")
    ] = None,
    per_second: Annotated[
        float | None,
        typer.Option(min=0, max=1000, help="Dials in any second, of the account; 0: none of its own."),
    ] = None,
) -> None:
    """Set limits; they hold from the next call on, and calls under way go on."""
    kind, key = _whose(agent, batch)

    async def work(db: Database, clock: Clock) -> tuple[int | None, int | None]:
        await _known(db, account, agent, batch)
        async with db.transaction() as tx:
            found = await gates.get(tx, account, kind, key) or {"max_calls": None, "interval_us": None}
            most = found["max_calls"] if calls is None else calls or None
            interval = found["interval_us"] if per_second is None else interval_us(per_second)
            await gates.set_limits(tx, account, kind, key, max_calls=most, interval_us=interval)
        if kind == "account":
            await SubAccounts(db, clock, load().dialling.account_calls or None).share_out(account)
        # What a lower limit held back waits without a timer.
        await wake(db, CALLS)
        return most, interval

    try:
        if calls is None and per_second is None:
            raise _Refused("nothing to set: give --calls or --per-second")
        if per_second is not None and kind != "account":
            raise _Refused("--per-second is a limit of accounts, not of agents or batches")
        typer.echo(_line(account, kind, key, *with_store(work)))
    except _Refused as reason:
        typer.echo(f"ringback: {reason}", err=True)
        raise typer.Exit(1) from None


def _whose(agent: str | None, batch: str | None) -> tuple[str, str]:
    """Kind and key of the gate."""
    if agent is not None and batch is not None:
        raise typer.BadParameter("give --agent or --batch, not both")
    if agent is not None:
        return "agent", agent
    return ("account", "") if batch is None else ("batch", batch)


async def _known(db: Database, account: str, agent: str | None, batch: str | None) -> None:
    if await accounts.get(db, account) is None:
        raise _Refused(f"there is no account {account}")
    if agent is not None and not await agents.exists(db, account, agent):
        raise _Refused(f"the account has no agent {agent}")
    if batch is not None and await batches.shown(db, account, batch) is None:
        raise _Refused(f"the account has no batch {batch}")


def _line(account: str, kind: str, key: str, calls: int | None, interval: int | None) -> str:
    who = f"account {account}" if kind == "account" else f"account {account} {kind} {key}"
    none = "as the settings say" if kind == "account" else "unlimited"
    rate = f", dials in a second: {1_000_000 / interval:g}" if interval else ""
    return f"{who}: calls at a time: {calls or none}{rate}"
