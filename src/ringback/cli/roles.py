"""`ringback serve` and the roles it is made of, which also start alone: `api`, `worker`, `speech`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Annotated, Any

import typer

from ringback.app import logs
from ringback.app.settings import Settings, load
from ringback.app.supervisor import SUPERVISED, ChildFailed
from ringback.media.speech import SpeechError
from ringback.store.version import require_newest


def register(app: typer.Typer) -> None:
    app.command(help="Run the whole platform on this machine.")(serve)
    app.command(help="Run the HTTP API alone.")(api)
    app.command(help="Run one call worker alone.")(worker)
    app.command(help="Run the embedded speech models alone.")(speech)


def serve(
    workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Call workers, instead of the setting.")
    ] = None,
) -> None:
    from ringback.app import serve as role

    settings = role.with_free_port(load())
    if workers is not None:
        settings = settings.model_copy(update={"workers": workers})
    _run("serve", settings, role.serve(settings, lambda key: _announce(settings, key)))


def api() -> None:
    from ringback.app import api as role

    settings = _ready()
    _run("api", settings, role.run(settings))


def worker(
    index: Annotated[int, typer.Option(help="Its number on this machine, from 0: chooses the SIP port.")] = 0,
) -> None:
    from ringback.app import worker as role

    settings = _ready()
    _run(f"worker-{index}", settings, role.run(settings, index))


def speech() -> None:
    from ringback.app import speech as role

    settings = load()
    _run("speech", settings, role.run(settings))


def _ready() -> Settings:
    """The settings of a role that leans on the tables; whoever supervises it has made them.

    Raises SettingsError, StoreError.
    """
    settings = load()
    if os.environ.get(SUPERVISED) != "1":
        asyncio.run(require_newest(settings.store_url))
    return settings


def _run(process: str, settings: Settings, role: Coroutine[Any, Any, None]) -> None:
    """Run a role to its end; what keeps it from running is one sentence."""
    logs.configure(settings.log_level, process)
    try:
        asyncio.run(role)
    except (ChildFailed, SpeechError) as error:
        print(f"ringback {process}: {error}", file=sys.stderr)
        sys.exit(1)


def _announce(settings: Settings, key: str | None) -> None:
    print(f"Ringback serves on {settings.base_url}; its data lies in {settings.data.absolute()}.")
    if key is not None:
        print(f"Your API key, shown only this once: {key}")
    if not settings.trunk.host:
        print("No trunk is configured yet, so no call can go out: set RINGBACK_TRUNK__HOST and the like.")
    sys.stdout.flush()
