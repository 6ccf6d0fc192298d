"""`ringback serve`: the whole platform on one machine, a supervisor with one child a role."""

from __future__ import annotations

import asyncio
import fcntl
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ringback.accounts.accounts import ensure_first_account
from ringback.app.lifespan import hangups, stop_event
from ringback.app.settings import Settings, SettingsError
from ringback.app.supervisor import Child, Supervisor
from ringback.app.telemetry.metrics_folder import metrics_folder
from ringback.clock import SystemClock
from ringback.dialing.dialler import HANGUP_S
from ringback.store.database import open_database
from ringback.store.migrate import upgrade

_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""NumPy reads it at import: its pool would only take the cores from the calls. The models have settings."""


async def prepare(settings: Settings) -> str | None:
    """Create the data folder and the tables; on an empty store the first account, whose key is returned once."""
    try:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The data folder {settings.data} cannot be made: {error.strerror}") from None
    await upgrade(settings.store_url)
    db = await open_database(settings.store_url)
    try:
        return await ensure_first_account(db, SystemClock())
    finally:
        await db.close()


async def serve(settings: Settings, announce: Callable[[str | None], None]) -> None:
    """Run all roles until told to stop; `announce` is called once everything is up, with the first key if it is new.

    Raises SettingsError, StoreError, ChildFailed.
    """
    stopping = stop_event()
    key = await prepare(settings)
    with _alone(settings.data), _metrics_folder(settings) as environment:
        supervisor = Supervisor(_stages(settings, environment))
        grace_s = settings.drain_s + HANGUP_S + 5
        await supervisor.start()
        announce(key)
        rolling = asyncio.create_task(_roll(supervisor, hangups(), grace_s))
        try:
            await stopping.wait()
        finally:
            rolling.cancel()
            await asyncio.gather(rolling, return_exceptions=True)
            await supervisor.stop(grace_s)


async def _roll(supervisor: Supervisor, hangups: asyncio.Event, grace_s: float) -> None:
    """A rolling restart of the workers for every SIGHUP; one that comes meanwhile is another after it."""
    while True:
        await hangups.wait()
        hangups.clear()
        await supervisor.roll(grace_s)


def with_free_port(settings: Settings) -> Settings:
    """Port 0 replaced by a free one, which every child must know before the first is started."""
    if settings.port:
        return settings
    with socket.create_server((settings.host, 0)) as probe:
        return settings.model_copy(update={"port": probe.getsockname()[1]})


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold the data folder: two platforms in one would take each other's sockets. Raises SettingsError."""
    with (data / "serve.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(f"Another ringback serve uses the data folder {data.absolute()}") from None
        yield


@contextmanager
def _metrics_folder(settings: Settings) -> Iterator[dict[str, str]]:
    """The environment through which the children's metrics meet."""
    if not settings.metrics.enabled:
        yield {}
        return
    with metrics_folder(settings.data) as environment:
        yield environment


def _stages(settings: Settings, environment: dict[str, str]) -> list[list[Child]]:
    """What workers lean on comes before them."""
    port = {"RINGBACK_PORT": str(settings.port)} | environment
    api = Child("api", ["api"], port)
    workers = [
        Child(f"worker-{index}", ["worker", "--index", str(index)], port | _ONE_THREAD)
        for index in range(settings.workers)
    ]
    if settings.speech.transcriber_uri and settings.speech.synthesizer_uri:
        return [[api], workers]
    return [[Child("speech", ["speech"], _ONE_THREAD | environment)], [api], workers]
