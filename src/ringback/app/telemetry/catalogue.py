"""Every metric, as literal data. Prometheus calls them `ringback_...`; docs/operations.md lists them.

No label may name an account, a person or a call, or take values that a stranger chooses.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    """In Prometheus' manner: `_seconds` is the unit, counters end in `_total`."""
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram, in seconds."""


_TURN_S: Final = (
    0.01,
    0.02,
    0.04,
    0.08,
    0.15,
    0.25,
    0.35,
    0.5,
    0.65,
    0.8,
    1.0,
    1.25,
    1.6,
    2.0,
    3.0,
    5.0,
    10.0,
)
_PROVIDER_S: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0)
_LAG_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.1, 0.25, 1.0)
_HTTP_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_AFTER_S: Final = (0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 240.0)

CALLS_LIVE: Final = Metric(
    "calls_live", Kind.GAUGE, "Calls in which an agent is talking, of each worker.", ("process",)
)
CALLS_STARTED: Final = Metric("calls_started_total", Kind.COUNTER, "Attempts that were dialled.")
CALLS_ENDED: Final = Metric(
    "calls_ended_total", Kind.COUNTER, "Calls and retries that reached a final status, by it.", ("status",)
)
TURN: Final = Metric(
    "turn_seconds",
    Kind.HISTOGRAM,
    "Where the time between the person's speech and the agent's answer went, by part; `total` is the whole.",
    ("part",),
    _TURN_S,
)
PROVIDER: Final = Metric(
    "provider_seconds",
    Kind.HISTOGRAM,
    "Wait for a transcription, a language model's first token, a synthesizer's first audio.",
    ("component", "provider"),
    _PROVIDER_S,
)
PROVIDER_ERRORS: Final = Metric(
    "provider_errors_total",
    Kind.COUNTER,
    "Requests to a provider that failed or timed out.",
    ("component", "provider"),
)
TICK_LATENESS: Final = Metric(
    "tick_lateness_seconds",
    Kind.GAUGE,
    "How late the 20 ms ticks of a worker's audio began over the last minute; `1` is the worst.",
    ("process", "quantile"),
)
TICKS_SKIPPED: Final = Metric(
    "ticks_skipped_total",
    Kind.COUNTER,
    "Ticks of 20 ms audio that never took place, for the worker stood still.",
    ("process",),
)
LOOP_LAG: Final = Metric(
    "event_loop_lag_seconds",
    Kind.HISTOGRAM,
    "How late a process comes to what is due; sampled twice a second.",
    ("process",),
    _LAG_S,
)
QUEUE_DUE: Final = Metric(
    "queue_due", Kind.GAUGE, "Calls whose time has come and that no worker has taken; counted up to 10000."
)
QUEUE_WAIT: Final = Metric(
    "queue_oldest_seconds", Kind.GAUGE, "For how long the oldest of them has been waiting; 0 without any."
)
HTTP: Final = Metric(
    "http_request_seconds",
    Kind.HISTOGRAM,
    "Requests to the API, to the last byte of the answer, by route.",
    ("method", "route"),
    _HTTP_S,
)
HTTP_ANSWERS: Final = Metric(
    "http_requests_total", Kind.COUNTER, "Answers of the API.", ("method", "route", "status")
)
WEBHOOK: Final = Metric(
    "webhook_seconds",
    Kind.HISTOGRAM,
    "Requests that deliver webhooks, to the end of their answer.",
    (),
    _HTTP_S,
)
WEBHOOKS: Final = Metric(
    "webhooks_total",
    Kind.COUNTER,
    "The same by what came of them: `2xx`, `3xx`, `4xx`, `5xx`, or `none` without an answer.",
    ("result",),
)
WEBHOOK_WAIT: Final = Metric(
    "webhook_oldest_seconds", Kind.GAUGE, "For how long the oldest webhook that is due has been waiting."
)
WEBHOOKS_DOWN: Final = Metric(
    "webhook_endpoints_down",
    Kind.GAUGE,
    "Receivers that failed five times in a row and for which something waits.",
)
AFTER_CALL: Final = Metric(
    "after_call_seconds", Kind.HISTOGRAM, "Stages of the work after a call.", ("stage",), _AFTER_S
)
AFTER_CALL_FAILED: Final = Metric(
    "after_call_failures_total",
    Kind.COUNTER,
    "Tries of a stage that failed; some are tried again.",
    ("stage",),
)
QUESTIONS: Final = Metric(
    "questions_total",
    Kind.COUNTER,
    "Questions about calls that were over, `answered` or `unanswered` (no model, or no usable answer).",
    ("stage", "result"),
)

METRICS: Final = (
    CALLS_LIVE,
    CALLS_STARTED,
    CALLS_ENDED,
    TURN,
    PROVIDER,
    PROVIDER_ERRORS,
    TICK_LATENESS,
    TICKS_SKIPPED,
    LOOP_LAG,
    QUEUE_DUE,
    QUEUE_WAIT,
    HTTP,
    HTTP_ANSWERS,
    WEBHOOK,
    WEBHOOKS,
    WEBHOOK_WAIT,
    WEBHOOKS_DOWN,
    AFTER_CALL,
    AFTER_CALL_FAILED,
    QUESTIONS,
)
