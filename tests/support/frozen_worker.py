"""A worker that stops itself (SIGSTOP) in the midst of a claim or an intent: `python -m` this URL, execution, number.

Without an execution it claims one. Woken up (SIGCONT) it goes on, and says in one line what came of it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ringback.clock import SystemClock
from ringback.dialing.claims import Claim, Claims
from ringback.dialing.taking import Taking
from ringback.executions.ledger import Ledger
from ringback.store.database import StoreError, open_database
from ringback.store.queries import gates

OWNER = "frozen"


def stopping(query: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Stop behind it: with the locks that were taken so far, in a transaction."""

    async def stopped(*args: Any, **named: Any) -> Any:
        found = await query(*args, **named)
        os.kill(os.getpid(), signal.SIGSTOP)
        return found

    return stopped


async def work(url: str, account_id: str, execution_id: str, number: str) -> str:
    db, clock = await open_database(url), SystemClock()
    ledger = Ledger(db, clock, "")
    gates.slots = stopping(gates.slots)  # type: ignore[assignment]
    gates.share = stopping(gates.share)  # type: ignore[assignment]
    try:
        if execution_id:
            claim = Claim(account_id, execution_id, int(number))
            return f"dials at {(await Claims(db, ledger, clock, OWNER).intend(claim, 'x')).grant.dial_at_us}"
        return f"claimed {len((await Taking(db, ledger, clock, OWNER).take(1)).claims)}"
    except StoreError as error:
        return f"refused: {error}"


if __name__ == "__main__":
    print(asyncio.run(work(*sys.argv[1:])))
