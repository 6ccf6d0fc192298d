"""Fixtures that every test may ask for, and the rule that a complete run skips nothing."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["tests.support.databases"]

_skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        _skipped.append(f"{report.nodeid}: {reason}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything is required (CI), a test that was skipped for a missing program is a failure."""
    if _skipped and os.environ.get("RINGBACK_TESTS_REQUIRE_ALL"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _skipped and os.environ.get("RINGBACK_TESTS_REQUIRE_ALL"):
        terminalreporter.section("skipped, but everything is required here", red=True)
        for line in _skipped:
            terminalreporter.line(line)
