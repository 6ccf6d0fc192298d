"""`ringback export`: an agent's executions as a file, straight from the store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AbstractContextManager, aclosing, nullcontext
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, NoReturn
from urllib.parse import urlencode
from uuid import UUID

import typer
from fastapi import Request
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ringback.accounts.accounts import FIRST_ACCOUNT_ID
from ringback.agents.registry import Agents, UnknownAgent
from ringback.api.errors import ApiError
from ringback.api.filters import filter_query
from ringback.cli.keys import AccountOption
from ringback.cli.store import with_store
from ringback.cli.whole_file import replacing
from ringback.clock import Clock
from ringback.executions.export.formats import ExtraMissing, Format, encoder, stream
from ringback.executions.filters import Filters
from ringback.executions.listing import Listing, StoredExecution
from ringback.store.database import Database

_STDOUT = Path("-")


def register(app: typer.Typer) -> None:
    app.command("export", help="Write an agent's executions to a file, newest first.")(export)


def _amount(text: str) -> float:
    amount = float(text)
    if not 0 <= amount <= 1e9:  # nor NaN
        raise typer.BadParameter(f"{text} is not between 0 and 1000000000")
    return amount


def _amount_option(help_: str) -> Any:
    return typer.Option(parser=_amount, metavar="NUMBER", help=help_)


def _members_option(help_: str) -> Any:
    return typer.Option(metavar="KEY=VALUE", help=help_)


def export(
    agent_id: Annotated[UUID, typer.Argument(help="The agent's id.")],
    account: AccountOption = FIRST_ACCOUNT_ID,
    format_: Annotated[
        Format, typer.Option("--format", help="parquet needs the extra of that name.")
    ] = Format.CSV,
    output: Annotated[Path, typer.Option(help="The file to write; - for standard output.")] = _STDOUT,
    status: Annotated[str | None, typer.Option(help="A status, or several with commas.")] = None,
    call_type: Annotated[Literal["inbound", "outbound"] | None, typer.Option()] = None,
    provider: Annotated[str | None, typer.Option(help="E.g. sip-trunk.")] = None,
    voice_mail: Annotated[
        bool | None, typer.Option("--voice-mail/--no-voice-mail", help="Answered by a machine, or not.")
    ] = None,
    batch: Annotated[UUID | None, typer.Option(help="The batch's id.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="ISO 8601; created then or later.")] = None,
    to: Annotated[str | None, typer.Option(help="ISO 8601; created then or earlier.")] = None,
    to_number: Annotated[str | None, typer.Option(help="E.164, e.g. +14155550123.")] = None,
    from_number: Annotated[str | None, typer.Option(help="Likewise.")] = None,
    hangup_reason: Annotated[str | None, typer.Option(help="As the record shows it.")] = None,
    min_duration: Annotated[float | None, _amount_option("Least conversation, seconds.")] = None,
    max_duration: Annotated[float | None, _amount_option("Greatest conversation, seconds.")] = None,
    min_cost: Annotated[float | None, _amount_option("Least total cost, cents.")] = None,
    max_cost: Annotated[float | None, _amount_option("Greatest total cost, cents.")] = None,
    recipient_data: Annotated[
        list[str] | None, _members_option("It has this value there. May be repeated.")
    ] = None,
    extracted_data: Annotated[list[str] | None, _members_option("Likewise.")] = None,
) -> None:
    """Ends with a whole file or an error, never half a file."""
    if output == _STDOUT and format_ is Format.PARQUET and sys.stdout.isatty():
        _fail("parquet is not for a terminal: give --output FILE")
    try:
        asked = filter_query(
            _request(recipient_data or [], extracted_data or []),
            status=status,
            call_type=call_type,
            provider=provider,
            answered_by_voice_mail=voice_mail,
            batch=batch,
            from_=from_,
            to=to,
            to_number=to_number,
            from_number=from_number,
            hangup_reason=hangup_reason,
            min_duration=min_duration,
            max_duration=max_duration,
            min_cost=min_cost,
            max_cost=max_cost,
        )
        query = asyncio.run(asked)  # a coroutine, as all that FastAPI is to call
        with _opened(output) as file:
            written = _write(account, str(agent_id), format_, query.filters, file)
    except UnknownAgent:
        _fail(f"account {account} has no agent {agent_id}")
    except (ApiError, ExtraMissing) as error:
        _fail(str(error))
    except BrokenPipeError:  # whoever read has enough
        raise
    except OSError as error:
        _fail(f"cannot write {output}: {error.strerror}")
    if output != _STDOUT:
        typer.echo(f"{written} executions in {output}", err=True)


def _fail(message: str) -> NoReturn:
    typer.echo(f"ringback: {message}", err=True)
    raise typer.Exit(1)


def _request(recipient_data: list[str], extracted_data: list[str]) -> Request:
    """What the API's reader of filters takes `recipient_data[key]=value` from."""
    members = [*_members("recipient_data", recipient_data), *_members("extracted_data", extracted_data)]
    return Request({"type": "http", "headers": [], "query_string": urlencode(members).encode()})


def _members(name: str, given: list[str]) -> Iterator[tuple[str, str]]:
    for text in given:
        key, equals, value = text.partition("=")
        if not equals:
            raise ApiError(400, f"{name} must be KEY=VALUE, not {text}")
        yield f"{name}[{key}]", value


def _opened(output: Path) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdout.buffer) if output == _STDOUT else replacing(output)


def _write(account: str, agent_id: str, format_: Format, filters: Filters, file: BinaryIO) -> int:
    """The number of executions. Raises UnknownAgent, ExtraMissing, StoreError, OSError."""
    console = Console(stderr=True)
    columns = (TextColumn("executions"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, disable=not console.is_terminal, redirect_stdout=False)

    async def work(db: Database, clock: Clock) -> int:
        await Agents(db, clock).require(account, agent_id)
        made = encoder(format_)
        listing = Listing(db)
        total = await listing.total(account, agent_id, filters)
        task = bar.add_task("", total=total.count if total.exact else None)
        batches = _counted(listing.batches(account, agent_id, filters), lambda n: bar.advance(task, n))
        async with aclosing(stream(batches, made)) as chunks:
            async for chunk in chunks:
                file.write(chunk)
        file.flush()
        return int(bar.tasks[0].completed)

    with bar:
        return with_store(work)


async def _counted(
    batches: AsyncGenerator[list[StoredExecution]], advance: Callable[[int], None]
) -> AsyncGenerator[list[StoredExecution]]:
    async with aclosing(batches):
        async for batch in batches:
            yield batch
            advance(len(batch))
