"""`ringback demo`: a real call on this machine, shown live."""

from __future__ import annotations

import asyncio
import json
import shlex
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ringback.demo.run import DemoFailed, Facts, run

_STYLES = {"status": "bold cyan", "agent": "green", "person": "yellow", "latency": "dim", "note": "dim"}


def register(app: typer.Typer) -> None:
    app.command("demo", help="Place a real call between an agent and a simulated person, and list it.")(demo)


def demo(
    report: Annotated[
        Path | None, typer.Option(help="Also write everything that was seen to this JSON file.")
    ] = None,
) -> None:
    """Exits 0 only if the call completed and the list holds it."""
    from ringback.demo.check import checks

    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()

    def show(what: str, text: str) -> None:
        style = _STYLES[what]
        console.print(f"[dim]{time.monotonic() - began:6.1f} s[/]  [{style}]{what:>8}[/]  {escape(text)}")

    try:
        facts = asyncio.run(run(show))
    except DemoFailed as failure:
        console.print(f"[bold red]The demo failed:[/] {escape(str(failure))}")
        raise typer.Exit(1) from None
    console.print(f"\n[bold]GET /agent/{facts.agent_id}/executions[/]")
    console.print_json(json.dumps(facts.listed))
    results = list(checks(facts))
    console.print("\n[bold]Checked[/]")
    for check in results:
        mark = "[green]ok[/]    " if check.passed else "[red]not ok[/]"
        console.print(f"  {mark} {check.name}: {escape(check.seen)}")
    if report is not None:
        seen = [{"name": c.name, "passed": c.passed, "seen": c.seen} for c in results]
        report.write_text(
            json.dumps(
                {"checks": seen, "listed": facts.listed, "log": facts.log, "person": facts.person}, indent=2
            )
        )
    _go_on(console, facts, time.monotonic() - began)
    if not all(check.passed for check in results[:2]):
        raise typer.Exit(1)


def _go_on(console: Console, facts: Facts, seconds: float) -> None:
    data = shlex.quote(str(facts.folder))
    console.print(f"\nThe recording (person left, agent right): {facts.recording}")
    console.print(f"All this took {seconds:.0f} s. Go on with the same data:\n")
    console.print(f"  RINGBACK_DATA={data} .venv/bin/ringback serve")
    console.print(
        f"  curl -H 'Authorization: Bearer {facts.key}' http://127.0.0.1:8080/agent/{facts.agent_id}/executions",
    )
    console.print(
        "\nTo call real people, set the trunk of your SIP provider: `ringback settings` lists every setting."
    )
