"""`ringback wallet`: what accounts may spend. Amounts are cents of the account's currency."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import typer

from ringback.billing.wallet import Entered, Wallet, WalletError, Wallets, read_cents
from ringback.cli.store import with_store
from ringback.clock import Clock
from ringback.executions.record import CENT
from ringback.store.database import Database

app = typer.Typer(help="Show, top up and limit the wallets of accounts.", no_args_is_help=True)

T = TypeVar("T")

AccountArgument = Annotated[
    str, typer.Argument(help="The account's id, as `ringback accounts list` shows it.")
]


@app.command()
def show(
    account: Annotated[
        str | None, typer.Argument(help="Of this account, with its last entries; without it: of all.")
    ] = None,
    entries: Annotated[int, typer.Option(min=0, max=10_000, help="How many entries, newest first.")] = 20,
) -> None:
    """Show what accounts can spend, and what is reserved for calls under way."""

    async def work(wallets: Wallets) -> tuple[list[Wallet], list[Entered]]:
        if account is None:
            return await wallets.every(), []
        return [await wallets.get(account)], await wallets.latest(account, entries)

    found, entered = _done(work)
    for wallet in found:
        typer.echo(_line(wallet))
    for each in entered:
        typer.echo(_entry(each))


@app.command("top-up")
def top_up(
    account: AccountArgument,
    cents: Annotated[str, typer.Argument(help="How much was paid, e.g. 5000 or 12.5.")],
    note: Annotated[str, typer.Option(help="What for, for the books.")] = "",
) -> None:
    """Add what was paid. Calls that were refused before (`balance-low`) are not dialled by it."""
    typer.echo(_line(_done(lambda wallets: wallets.top_up(account, read_cents(cents), note[:500]))))


@app.command()
def limit(account: AccountArgument) -> None:
    """From the next dial on the account spends no more than its wallet has. What it owes is struck off."""
    typer.echo(_line(_done(lambda wallets: wallets.limit(account))))


@app.command()
def unlimit(account: AccountArgument) -> None:
    """From the next dial on nothing is held back; calls are charged all the same, and the balance may go below zero."""
    typer.echo(_line(_done(lambda wallets: wallets.unlimit(account))))


def _done(work: Callable[[Wallets], Awaitable[T]]) -> T:
    async def with_wallets(db: Database, clock: Clock) -> T:
        return await work(Wallets(db, clock))

    try:
        return with_store(with_wallets)
    except WalletError as error:
        typer.echo(f"ringback: {error}", err=True)
        raise typer.Exit(1) from None


def _line(wallet: Wallet) -> str:
    how = "unlimited" if wallet.unlimited else "limited"
    reserved = f", {_cents(wallet.reserved)} reserved" if wallet.reserved else ""
    return f"account {wallet.account_id}: {_cents(wallet.balance)} cents{reserved}, {how}"


def _entry(each: Entered) -> str:
    at = datetime.fromtimestamp(each.at_us // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    entry = each.entry
    call = f"  call {each.execution_id} attempt {each.attempt}" if each.execution_id else ""
    note = f"  {entry.note}" if entry.note else ""
    return f"{at}  {entry.kind:9}  {entry.debit} -> {entry.credit}  {_cents(entry.amount)}{call}{note}"


def _cents(amount: int) -> str:
    sign, whole = "-" if amount < 0 else "", abs(amount)
    return f"{sign}{whole // CENT}.{whole % CENT:04}"
