"""What nobody tells, so it is looked at: how late the event loop is, and whatever else is sampled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ringback.app.telemetry import catalogue
from ringback.app.telemetry.telemetry import Telemetry
from ringback.clock import Clock
from ringback.store.database import StoreError

logger = logging.getLogger(__name__)

_LAG_EVERY_S: Final = 0.5
_SAMPLE_EVERY: Final = 20
"""So many lags between two samples."""

Sample = Callable[[], Awaitable[None]]


async def pulse(telemetry: Telemetry, clock: Clock, samples: Sequence[Sample] = ()) -> None:
    """Until cancelled."""
    beats = 0
    while True:
        if beats % _SAMPLE_EVERY == 0:
            for sample in samples:
                await _taken(sample)
        beats += 1
        due = clock.monotonic() + _LAG_EVERY_S
        await clock.sleep(_LAG_EVERY_S)
        telemetry.record(catalogue.LOOP_LAG, max(0.0, clock.monotonic() - due), telemetry.process)


async def _taken(sample: Sample) -> None:
    try:
        await sample()
    except asyncio.CancelledError:
        raise
    except StoreError as error:
        logger.warning("the queue could not be measured: %s", error)
    except Exception:
        logger.exception("a sample could not be taken")
