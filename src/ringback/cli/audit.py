"""`ringback audit`: whether an execution's invoice adds up, or the whole store does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import typer

from ringback.aftercall.audit import Checked, audit_all
from ringback.aftercall.invoices import Invoice, invoice_of
from ringback.api.times import iso
from ringback.billing.invoice import Item, cents
from ringback.billing.rating import charged
from ringback.cli.store import with_store
from ringback.clock import Clock
from ringback.executions.record import UsageKind
from ringback.store.database import Database, Row

_HEAD: Final = ("line", "attempt", "turn", "at", "what", "for", "quantity", "charged", "price", "cents")


def register(app: typer.Typer) -> None:
    app.command(
        "audit", help="Print an execution's invoice, or check the whole store; fails if it does not add up."
    )(audit)


def audit(
    execution: Annotated[str | None, typer.Argument(help="Its id.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Check the whole store.")] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=100_000, help="Most findings of a check that are listed.")
    ] = 20,
) -> None:
    if everything == (execution is not None):
        raise typer.BadParameter("give the id of an execution, or --all")
    sound = _whole_store(limit) if execution is None else _execution(execution)
    if not sound:
        raise typer.Exit(1)


def _execution(execution_id: str) -> bool:
    async def work(db: Database, _: Clock) -> Invoice | None:
        return await invoice_of(db, execution_id)

    invoice = with_store(work)
    if invoice is None:
        typer.echo(f"ringback: there is no execution {execution_id}", err=True)
        return False
    for text in _lines(invoice):
        typer.echo(text)
    for problem in invoice.problems:
        typer.echo(f"ringback: {problem}", err=True)
    return not invoice.problems


def _lines(invoice: Invoice) -> Iterator[str]:
    execution = invoice.execution
    yield f"execution {execution.id} of agent {execution.agent_id}, {execution.status}"
    yield from _table([_HEAD, *map(_cells, invoice.items)])
    for kind in UsageKind:
        yield f"{kind:<12} {cents(getattr(invoice.cost, kind)):>16}"
    yield f"{'total':<12} {cents(invoice.cost.total):>16}"


def _cells(item: Item) -> tuple[str, ...]:
    line = item.line
    price = "none" if line.price is None else f"{line.price:f} for {line.per}"
    return (
        str(item.number),
        str(item.attempt),
        "" if line.turn is None else str(line.turn),
        iso(line.at_us) if line.at_us else "",
        " ".join(filter(None, (line.kind, line.provider, line.model, line.detail))),
        line.purpose,
        f"{line.quantity} {line.unit}",
        str(charged(line.quantity, line.step)),
        price,
        cents(line.amount),
    )


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()


def _whole_store(limit: int) -> bool:
    async def work(db: Database, _: Clock) -> list[Checked]:
        # One more than is listed tells that there are more.
        return await audit_all(db, limit + 1, told=lambda checked: _tell(checked, limit))

    return not any(checked.wrong for checked in with_store(work))


def _tell(checked: Checked, limit: int) -> None:
    check, wrong = checked.check, checked.wrong
    count = f"more than {limit}" if len(wrong) > limit else str(len(wrong))
    verdict = f"NOT TRUE of {count}" if wrong else "true"
    typer.echo(f"{check.name:<12} {checked.seconds:6.2f} s  {check.makes_sure} {verdict}")
    for row in wrong[:limit]:
        typer.echo(f"  {_finding(row)}")


def _finding(row: Row) -> str:
    rest = [f"{name} {value}" for name, value in row.items() if name not in ("account_id", "subject")]
    return f"{row['subject']} of account {row['account_id']}: {', '.join(rest)}"
