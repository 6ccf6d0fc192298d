"""The tables, as SQLAlchemy Core metadata. The migrations must build exactly this, on both databases.

Times are microseconds since the epoch, UTC; money is in 1e-4 cents; ids and JSON are text. The account comes
first in every primary key, so that the same schema can be spread over many databases by account.
"""

from __future__ import annotations

from ringback.store.schema import dialling, inbound, meaning, money, records, trunks, webhooks
from ringback.store.schema.base import ATTEMPT_STATES, EXECUTION_STATUSES, metadata

__all__ = [
    "ATTEMPT_STATES",
    "EXECUTION_STATUSES",
    "dialling",
    "inbound",
    "meaning",
    "metadata",
    "money",
    "records",
    "trunks",
    "webhooks",
]
