"""`ringback prices`: what a unit of usage costs, from when on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from ringback.api.times import iso, parse_iso
from ringback.billing import price_list
from ringback.billing.price import EVERY_ACCOUNT, Price, PriceError
from ringback.billing.prices import Loaded, Prices
from ringback.cli.store import with_store
from ringback.clock import Clock
from ringback.store.database import Database

app = typer.Typer(help="Show and load prices.", no_args_is_help=True)

Account = Annotated[str, typer.Option(help="Only this account's own; not given: those of all accounts.")]


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="A price list in TOML, as `ringback prices show` prints it.")],
    account: Account = EVERY_ACCOUNT,
    valid_from: Annotated[
        str | None,
        typer.Option("--from", help="From this moment on (ISO 8601, UTC); not given: the next full minute."),
    ] = None,
) -> None:
    """Make a file the whole price list from a moment on. What was used before keeps its price."""

    async def work(db: Database, clock: Clock) -> Loaded:
        return await Prices(db).load(
            account, prices, clock, None if valid_from is None else _moment(valid_from)
        )

    try:
        prices = price_list.read(file.read_text("utf-8"))
        loaded = with_store(work)
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"cannot read {file}: {error}")
    except PriceError as error:
        _fail(str(error))
    for mark, changed in (("-", loaded.ended), ("+", loaded.added)):
        for price in changed:
            typer.echo(f"{mark} {_line(price)}")
    typer.echo(
        f"from {iso(loaded.valid_from)} on: {len(loaded.added)} new, {len(loaded.ended)} ended, {loaded.kept} as before"
    )


@app.command()
def show(
    account: Account = EVERY_ACCOUNT,
    at: Annotated[
        str | None, typer.Option(help="As they hold at this moment (ISO 8601, UTC); not given: now.")
    ] = None,
) -> None:
    """Print the price list of a moment, as a file that can be loaded."""

    async def work(db: Database, clock: Clock) -> tuple[int, list[Price]]:
        moment = clock.now_us() if at is None else _moment(at)
        return moment, await Prices(db).valid(account, moment)

    try:
        moment, prices = with_store(work)
    except PriceError as error:
        _fail(str(error))
    whose = f"of account {account}" if account else "of all accounts"
    typer.echo(f"# Prices {whose} at {iso(moment)}: cents for `per` units, by the started `step`.\n")
    typer.echo(price_list.write(prices), nl=False)


def _moment(text: str) -> int:
    try:
        return parse_iso(text)
    except ValueError:
        raise PriceError(f"{text!r} is no moment, as 2027-01-01T00:00:00Z is one") from None


def _line(price: Price) -> str:
    model = "" if price.model == "*" else f" {price.model}"
    step = f", by {price.step}" if price.step > 1 else ""
    return f"{price.kind} {price.provider}{model}: {price.price:f} cents for {price.per} {price.unit}{step}"


def _fail(message: str) -> NoReturn:
    typer.echo(f"ringback: {message}", err=True)
    raise typer.Exit(1)
