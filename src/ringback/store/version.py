"""Whether the tables are those that this version works with; without the machinery that changes them."""

from __future__ import annotations

from pathlib import Path

from ringback.store.database import StoreError, open_database, redact

_STEPS = Path(__file__).parent / "migrations" / "versions"


async def require_newest(url: str) -> None:
    """Raise StoreError unless `migrate.upgrade` has nothing to do: a role that starts alone changes no tables."""
    db = await open_database(url)
    try:
        rows = await db.fetch_all("SELECT version_num FROM alembic_version")
    except StoreError:
        rows = []  # an empty database
    finally:
        await db.close()
    if not rows:
        raise StoreError(f"there are no tables in {redact(url)}: run `ringback migrate` first")
    found = rows[0]["version_num"]
    if found != newest():
        raise StoreError(
            f"the tables in {redact(url)} have version {found}, this program needs {newest()}: run `ringback migrate`"
            " of the newer version"
        )


def newest() -> str:
    """The last step of this version; the files are named after theirs."""
    return max(path.name.partition("_")[0] for path in _STEPS.glob("[0-9]*_*.py"))
