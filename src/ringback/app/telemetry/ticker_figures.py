"""How late a worker's audio is."""

from __future__ import annotations

from ringback.app.telemetry import catalogue
from ringback.app.telemetry.pulse import Sample
from ringback.app.telemetry.telemetry import Telemetry
from ringback.media.ticker import Ticker


def of_ticker(telemetry: Telemetry, ticker: Ticker) -> Sample:
    skipped = 0

    async def sample() -> None:
        nonlocal skipped
        lateness = ticker.lateness()
        quantiles = {"0.5": lateness.p50_ms, "0.99": lateness.p99_ms, "1": lateness.max_ms}
        for quantile, ms in quantiles.items():
            telemetry.record(catalogue.TICK_LATENESS, ms / 1000, telemetry.process, quantile)
        telemetry.record(catalogue.TICKS_SKIPPED, lateness.skipped - skipped, telemetry.process)
        skipped = lateness.skipped

    return sample
