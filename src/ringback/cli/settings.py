"""`ringback settings`: every setting with its environment name, default and meaning, as declared in the code."""

from __future__ import annotations

from collections.abc import Iterator

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ringback.app.settings import Settings


def register(app: typer.Typer) -> None:
    app.command("settings", help="List every setting: environment name, default, meaning.")(show)


def show() -> None:
    for name, field in documented(Settings):
        typer.echo(f"{name} = {field.get_default(call_default_factory=True, validated_data={})}")
        typer.echo(f"    {field.description}")


def documented(model: type[BaseModel], prefix: str = "RINGBACK_") -> Iterator[tuple[str, FieldInfo]]:
    """(environment name, field) of every setting, nested ones joined by two underscores."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from documented(kind, f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}", field
