"""`ringback webhooks`: what became of an account's webhooks, and sending them again."""

from __future__ import annotations

from typing import Annotated, Final, NoReturn

import typer

from ringback.accounts.accounts import FIRST_ACCOUNT_ID
from ringback.api.times import iso
from ringback.cli.keys import AccountOption
from ringback.cli.store import wake, with_store
from ringback.clock import Clock
from ringback.store.database import Database
from ringback.store.wakeup import WEBHOOKS
from ringback.webhooks.deliveries import Deliveries, Delivery, DeliveryState, UnknownDelivery
from ringback.webhooks.endpoints import Endpoint, Endpoints, UnknownEndpoint

app = typer.Typer(help="Show an account's webhooks, and send them again.", no_args_is_help=True)

_SHOWN: Final = 50
_PAGE: Final = 200

StateOption = Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")]
ExecutionOption = Annotated[str | None, typer.Option(help="Only those of this execution or batch.")]


@app.command()
def endpoints(account: AccountOption = FIRST_ACCOUNT_ID) -> None:
    """Print where webhooks go: id, state, URL, and why one is disabled."""

    async def work(db: Database, clock: Clock) -> list[Endpoint]:
        known = Endpoints(db, clock)
        found: list[Endpoint] = []
        while len(page := await known.after(account, found[-1].id if found else "", _PAGE)) > 0:
            found += page
        return found

    for endpoint in with_store(work):
        typer.echo(f"{endpoint.id}  {endpoint.state:<8}  {endpoint.url}")
        if endpoint.disabled_why:
            typer.echo(f"    {endpoint.disabled_why}")


@app.command("list")
def list_deliveries(
    state: StateOption = None,
    execution: ExecutionOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = _SHOWN,
    account: AccountOption = FIRST_ACCOUNT_ID,
) -> None:
    """Print deliveries, newest first: id, event, state, tries, since when, and what went wrong."""

    async def work(db: Database, clock: Clock) -> list[Delivery]:
        log = Deliveries(db, clock)
        return await log.newest(account, subject=execution, state=state, limit=limit)

    for delivery in with_store(work):
        tries = f"{delivery.tries} {'try' if delivery.tries == 1 else 'tries'}"
        typer.echo(
            f"{delivery.id:<40}  {delivery.event:<17}  {delivery.state:<9}  {tries:>8}  "
            f"{iso(delivery.created_at)}  {delivery.last_error or ''}".rstrip()
        )


@app.command()
def replay(
    deliveries: Annotated[list[str], typer.Argument(help="Their ids, as `list` prints them.")],
    account: AccountOption = FIRST_ACCOUNT_ID,
) -> None:
    """Send webhooks again: the same ids and payloads, also those that were delivered or given up."""

    async def work(db: Database, clock: Clock) -> list[str]:
        log, missing = Deliveries(db, clock), []
        for delivery in deliveries:
            try:
                await log.replay(account, delivery)
            except UnknownDelivery:
                missing.append(delivery)
        await wake(db, WEBHOOKS)
        return missing

    if missing := with_store(work):
        _fail(f"there is no delivery {', '.join(missing)}")


@app.command()
def enable(
    endpoint: Annotated[str, typer.Argument(help="Its id, as `endpoints` prints it.")],
    account: AccountOption = FIRST_ACCOUNT_ID,
) -> None:
    """Let an endpoint be served again that was disabled: all that has waited for it is delivered in its order."""

    async def work(db: Database, clock: Clock) -> bool:
        try:
            await Endpoints(db, clock).set_state(account, endpoint, "enabled")
        except UnknownEndpoint:
            return False
        await wake(db, WEBHOOKS)
        return True

    if not with_store(work):
        _fail(f"there is no endpoint {endpoint}")


def _fail(message: str) -> NoReturn:
    typer.echo(f"ringback: {message}", err=True)
    raise typer.Exit(1)
