"""The whole list: what it takes from each of those that can serve it, warm and cold."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.ledger import servers
from benchmarks.ledger.client import LIST, PAGE, curl, first_byte_ms
from benchmarks.ledger.data import ACCOUNT, AGENT
from benchmarks.ledger.page_cache import empty
from benchmarks.ledger.programs import Server
from benchmarks.ledger.stores import Store, seconds

COPY: Final = (
    f"SELECT body FROM executions WHERE account_id = '{ACCOUNT}' AND agent_id = '{AGENT}' ORDER BY seq DESC"
)
ORM_ROWS: Final = 100_000
"""Beyond it the ORM's list would need tens of gigabytes of memory."""
_COLD_ROUNDS: Final = 3


@dataclass(slots=True)
class Variant:
    """One way to get the list, run again and again."""

    name: str
    run: Callable[[], object]
    server: Server | None = None
    """Whose memory counts."""
    path: str = LIST
    seconds: list[float] = field(default_factory=list)
    growth_mb: list[float] = field(default_factory=list)
    wire_bytes: int = 0
    first_ms: float | None = None

    @property
    def ours(self) -> bool:
        return self.name.startswith("ours")

    def measure(self, out: Path) -> None:
        if self.server is not None:
            self.server.reset_peak()
        self.seconds.append(seconds(self.run))
        if self.server is not None:
            self.growth_mb.append(self.server.peak_mb() - self.server.idle_mb)
        self.wire_bytes = out.stat().st_size
        out.unlink()


@dataclass(frozen=True, slots=True)
class Lists:
    """Of one size."""

    seconds: dict[str, float]
    """Medians by variant."""
    growth_mb: float
    """The most of ours."""
    first_ms: float
    cold_over_warm: float


def measure(store: Store, database: str, rows: int, folder: Path) -> Lists:
    with _out(folder) as out:
        variants = _warm(store, database, rows, folder, out)
        medians = {variant.name: median(variant.seconds) for variant in variants}
        cold = _cold(store, database, out)
    ours = next(variant for variant in variants if variant.name == "ours")
    print(f"  cold {cold:.2f} s = {cold / medians['ours']:.2f} x warm", flush=True)
    return Lists(
        seconds=medians,
        growth_mb=max(max(variant.growth_mb) for variant in variants if variant.ours),
        first_ms=ours.first_ms or 0.0,
        cold_over_warm=cold / medians["ours"],
    )


def _warm(store: Store, database: str, rows: int, folder: Path, out: Path) -> list[Variant]:
    with ExitStack() as stack:
        api = _settled(stack, servers.api(store.url(database), out.parent))
        served = _served(stack, api, folder)
        _check(api, served, out, rows)
        nginx = servers.nginx(served, out.parent)
        stack.callback(nginx.stop)
        file = f"/{served.name}"
        variants = [
            Variant("copy", lambda: store.copy(database, COPY, out)),
            Variant("ours", curl(api, LIST, out), api),
            Variant("ours, zstd", curl(api, LIST, out, "zstd"), api),
            Variant("ours, gzip", curl(api, LIST, out, "gzip"), api),
            Variant("nginx", curl(nginx, file, out), path=file),
        ]
        for variant in variants:
            variant.run()  # once for nothing
        if rows <= ORM_ROWS:
            orm = _settled(stack, servers.orm(store.orm_url(database), out.parent))
            variants.append(Variant("orm", curl(orm, LIST, out), orm))
        load = os.getloadavg()[0]
        for _ in range(5 if rows <= ORM_ROWS else 3):
            for variant in variants:
                variant.measure(out)
        for variant, server, times in ((variants[1], api, 5), (variants[4], nginx, 5)):
            variant.first_ms = median(first_byte_ms(server, variant.path) for _ in range(times))
        if rows <= ORM_ROWS:
            variants[5].first_ms = first_byte_ms(orm, LIST)
        _show(store, rows, variants, served.stat().st_size, load)
        return variants


def _cold(store: Store, database: str, out: Path) -> float:
    """Median seconds of our list on an empty page cache; the copy beside it once."""
    taken = []
    for number in range(_COLD_ROUNDS + 1):
        files = store.files(database)
        store.stop()
        how = empty(files)
        store.start()
        if number == 0:
            copy = seconds(lambda: store.copy(database, COPY, out))
            continue
        api = servers.api(store.url(database), out.parent)
        try:
            taken.append(seconds(curl(api, LIST, out)))
        finally:
            api.stop()
    print(f"  cache emptied by: {how}; cold copy {copy:.2f} s, cold ours {_listed(taken)} s")
    return median(taken)


@contextmanager
def _out(folder: Path) -> Iterator[Path]:
    """A file to write to, in memory where there is room: not the disk is measured, and it isn't kept busy."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > 12 * 2**30
    with tempfile.TemporaryDirectory(prefix="ringback-bench-", dir=memory if roomy else folder) as name:
        os.chmod(name, 0o755)
        yield Path(name) / "out"


def _settled(stack: ExitStack, server: Server) -> Server:
    """After one request, with what it has resident then as idle."""
    stack.callback(server.stop)
    first_byte_ms(server, PAGE)
    server.idle_mb = server.rss_mb()
    return server


def _served(stack: ExitStack, api: Server, folder: Path) -> Path:
    """Our list as a file, for nginx."""
    served = folder / "list.json"
    curl(api, LIST, served)()
    stack.callback(served.unlink)
    return served


def _check(api: Server, served: Path, out: Path, rows: int) -> None:
    """Every row is there, and each coding unfolds to the same bytes."""
    found = sum(part.count(b'{"id":"') for part in _parts(served))
    if found != rows:
        raise RuntimeError(f"the list has {found} executions instead of {rows}")
    for coding in ("zstd", "gzip"):
        curl(api, LIST, out, coding, "--compressed")()
        if _hash(out) != _hash(served):
            raise RuntimeError(f"the list as {coding} has other bytes than the list")


def _parts(file: Path) -> Iterator[bytes]:
    """Cut only between two members."""
    rest = b""
    with file.open("rb") as stream:
        while block := stream.read(2**24):
            part, comma, rest = (rest + block).rpartition(b",")
            yield part + comma
    yield rest


def _hash(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _show(store: Store, rows: int, variants: list[Variant], size: int, load: float) -> None:
    print(f"== {store.name}, list of {rows}, {size / 1e6:.0f} MB, load before {load:.2f}")
    print(
        f"  {'':12}{'s':>8}{'rows/s':>12}{'MB/s':>8}{'wire MB':>10}{'first ms':>10}{'grown MB':>10}  all runs"
    )
    for variant in variants:
        taken = median(variant.seconds)
        first = "" if variant.first_ms is None else f"{variant.first_ms:.1f}"
        grown = f"{max(variant.growth_mb):.1f}" if variant.growth_mb else ""
        print(
            f"  {variant.name:12}{taken:8.3f}{rows / taken:12,.0f}{size / 1e6 / taken:8.0f}"
            f"{variant.wire_bytes / 1e6:10.1f}{first:>10}{grown:>10}  {_listed(variant.seconds)}",
            flush=True,
        )


def _listed(taken: list[float]) -> str:
    return " ".join(f"{one:.2f}" for one in taken)
