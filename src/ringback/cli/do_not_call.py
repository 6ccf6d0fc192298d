"""`ringback do-not-call`: the numbers that an account does not dial."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, NoReturn, TextIO

import typer

from ringback.accounts.accounts import FIRST_ACCOUNT_ID, Accounts
from ringback.api.times import iso
from ringback.cli.keys import AccountOption
from ringback.cli.store import with_store
from ringback.clock import Clock
from ringback.dialing.do_not_call import DoNotCall, NotListed, is_number
from ringback.store.database import Database

app = typer.Typer(help="Show and change the numbers that an account does not dial.", no_args_is_help=True)

_STDIN: Final = Path("-")
_CHUNK: Final = 500
"""Numbers a transaction: SQLite has one writer, and calls need it too."""
_SHOWN: Final = 20
"""Bad lines that are named; the rest is counted."""

Numbers = Annotated[list[str], typer.Argument(help="E.164, e.g. +14155550123.")]
Reason = Annotated[str | None, typer.Option(help="Why, for whoever reads the list.")]
Work = Callable[[DoNotCall], Awaitable[None]]


@app.command("list")
def list_numbers(account: AccountOption = FIRST_ACCOUNT_ID) -> None:
    """Print the list: number, since when, why."""

    async def work(listed: DoNotCall) -> None:
        async for entry in listed.every(account):
            typer.echo(f"{entry.number:<16}  {iso(entry.created_at)}  {entry.reason or ''}".rstrip())

    _on_list(account, work)


@app.command()
def add(numbers: Numbers, reason: Reason = None, account: AccountOption = FIRST_ACCOUNT_ID) -> None:
    """Put numbers on the list: none of them is dialled from then on."""
    _refuse_bad(numbers)

    async def work(listed: DoNotCall) -> None:
        await listed.add(account, numbers, reason)

    _on_list(account, work)


@app.command()
def remove(numbers: Numbers, account: AccountOption = FIRST_ACCOUNT_ID) -> None:
    """Take numbers off the list."""
    missing = []

    async def work(listed: DoNotCall) -> None:
        for number in numbers:
            try:
                await listed.remove(account, number)
            except NotListed:
                missing.append(number)

    _on_list(account, work)
    if missing:
        _fail(f"not on the list: {', '.join(missing)}")


@app.command("import")
def import_file(
    file: Annotated[
        Path, typer.Argument(help="A number a line, or CSV with them in front; - reads from the input.")
    ],
    reason: Reason = None,
    account: AccountOption = FIRST_ACCOUNT_ID,
) -> None:
    """Put all numbers of a file on the list. Lines that are none are told, and fail the command at its end."""
    bad: list[str] = []
    added = 0

    async def work(listed: DoNotCall) -> None:
        nonlocal added
        numbers = _numbers(opened, bad)
        while chunk := list(islice(numbers, _CHUNK)):
            await listed.add(account, chunk, reason)
            added += len(chunk)

    try:
        with _opened(file) as opened:
            _on_list(account, work)
    except (OSError, UnicodeDecodeError) as error:
        _fail(f"cannot read {file}: {error} ({added} numbers before it are on the list)")
    typer.echo(f"{added} numbers are on the list")
    if bad:
        more = f", and {len(bad) - _SHOWN} more" if len(bad) > _SHOWN else ""
        _fail(f"not E.164, as +14155550123 is: {', '.join(bad[:_SHOWN])}{more}")


def _opened(file: Path) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdin) if file == _STDIN else file.open(encoding="utf-8-sig")


def _numbers(lines: Iterable[str], bad: list[str]) -> Iterator[str]:
    """The first field of each line that has one; a header is passed over."""
    for place, line in enumerate(lines, 1):
        text = line.partition(",")[0].strip().strip("\"'")
        if is_number(text):
            yield text
        elif text and (place > 1 or any(character.isdecimal() for character in text)):
            bad.append(f"line {place} ({text[:24]})")


def _refuse_bad(numbers: Iterable[str]) -> None:
    bad = [number for number in numbers if not is_number(number)]
    if bad:
        _fail(f"not E.164, as +14155550123 is: {', '.join(bad)}")


def _on_list(account: str, work: Work) -> None:
    async def run(db: Database, clock: Clock) -> bool:
        known = await Accounts(db, clock).get(account) is not None
        if known:
            await work(DoNotCall(db, clock))
        return known

    if not with_store(run):
        _fail(f"there is no account {account}")


def _fail(message: str) -> NoReturn:
    typer.echo(f"ringback: {message}", err=True)
    raise typer.Exit(1)
