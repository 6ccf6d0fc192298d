"""The console command `ringback`: a file a group of commands, put together here."""

from __future__ import annotations

import sys

import typer

from ringback.app.settings import SettingsError
from ringback.cli import (
    accounts,
    audit,
    demo,
    do_not_call,
    doctor,
    export,
    keys,
    limits,
    migrate,
    prices,
    retention,
    roles,
    settings,
    status,
    wallet,
    webhooks,
)
from ringback.store.database import StoreError

app = typer.Typer(
    name="ringback",
    help="A self-hosted platform for voice agents on the telephone.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(accounts.app, name="accounts")
app.add_typer(keys.app, name="keys")
app.add_typer(do_not_call.app, name="do-not-call")
app.add_typer(limits.app, name="limits")
app.add_typer(prices.app, name="prices")
app.add_typer(retention.app, name="retention")
app.add_typer(wallet.app, name="wallet")
app.add_typer(webhooks.app, name="webhooks")
roles.register(app)
audit.register(app)
demo.register(app)
doctor.register(app)
export.register(app)
migrate.register(app)
status.register(app)
settings.register(app)


def main() -> None:
    """Run a command. What the operator can mend ends in one sentence and exit status 1, not in a trace."""
    try:
        app()
    except (SettingsError, StoreError) as error:
        print(f"ringback: {error}", file=sys.stderr)
        sys.exit(1)
