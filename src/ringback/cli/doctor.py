"""`ringback doctor`: what is wrong with this installation, each fault in one sentence."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Final

import typer

from ringback.app.doctor import faults
from ringback.app.doctor.doctor import examine
from ringback.app.doctor.finding import Finding, State
from ringback.app.doctor.line import CallWish
from ringback.app.settings import Settings, SettingsError, load
from ringback.clock import SystemClock

_MARKS: Final = {State.OK: "ok", State.WARNING: "warning", State.FAULT: "FAULT", State.SKIPPED: "-"}


def register(app: typer.Typer) -> None:
    app.command("doctor", help="Look the installation over and name what is wrong with it.")(show)


def show(
    call: Annotated[
        str, typer.Option("--call", metavar="NUMBER", help="Place a test call and listen to it.")
    ] = "",
    trunk: Annotated[
        str, typer.Option("--trunk", metavar="NAME", help="Call through this trunk of an account.")
    ] = "",
    echo: Annotated[
        bool, typer.Option("--echo", help="The number is an echo service: the tone must come back.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON object.")] = False,
) -> None:
    """Exit status 1 where a fault was found."""
    try:
        settings = load()
    except SettingsError as error:
        sentence = str(error).replace("\n  ", " ").rstrip(".")
        findings = [Finding.of("configuration", faults.BAD_CONFIGURATION, error=sentence)]
        if not as_json:
            _print(findings[0])
    else:
        findings = asyncio.run(_examined(settings, CallWish(call, trunk, echo) if call else None, as_json))
    count = sum(finding.state is State.FAULT for finding in findings)
    if as_json:
        typer.echo(
            json.dumps({"faults": count, "findings": [finding.as_json() for finding in findings]}, indent=2)
        )
    raise typer.Exit(1 if count else 0)


async def _examined(settings: Settings, wish: CallWish | None, quiet: bool) -> list[Finding]:
    findings = []
    async for finding in examine(settings, SystemClock(), wish):
        findings.append(finding)
        if not quiet:
            _print(finding)
    return findings


def _print(finding: Finding) -> None:
    typer.echo(f"{_MARKS[finding.state]:<8} {finding.check:<15} {finding.sentence}")
