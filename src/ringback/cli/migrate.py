"""`ringback migrate`: bring the tables to this version, before its roles are started."""

from __future__ import annotations

import asyncio

import typer

from ringback.app.serve import prepare
from ringback.app.settings import load


def register(app: typer.Typer) -> None:
    app.command("migrate", help="Create or upgrade the tables; on an empty store, make the first account.")(
        migrate
    )


def migrate() -> None:
    key = asyncio.run(prepare(load()))
    typer.echo("The tables are those of this version.")
    if key is not None:
        typer.echo(f"Your API key, shown only this once: {key}")
