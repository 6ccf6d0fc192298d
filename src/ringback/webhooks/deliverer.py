"""Delivers what waits in the outbox: at least once, and what belongs to one subject in its order.

It works in rounds, each one transaction: what came of the requests is written, what is due is claimed by leases. A
process that dies between a request and the next round leaves leases that run out, and the request is sent again. So
several may deliver at once, and none need know of the others.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

from ringback.clock import Clock
from ringback.net.client import GuardedClient, OutboundError
from ringback.net.signing import signed
from ringback.store.database import Database, Row, StoreError, Transaction
from ringback.store.queries import webhook_deliveries, webhook_endpoints
from ringback.store.queries.webhook_deliveries import Key
from ringback.store.wakeup import WEBHOOKS, Wakeup
from ringback.webhooks import policy
from ringback.webhooks.outcomes import EndpointKey as _Key
from ringback.webhooks.outcomes import Landed, Sent, written
from ringback.webhooks.policy import Failure

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
"""For the whole request."""
AT_ONCE: Final = 128
"""Requests of this process."""
EACH_AT_ONCE: Final = 32
"""To one endpoint; to one that is down, one."""
_DOWN_AT_ONCE: Final = 32
"""To all endpoints that are down: the others' deliveries are never without room."""
_LEASE_S: Final = 30.0
_SPARE_S: Final = 5.0
"""Of a lease, for what comes after the request."""
_ENDPOINTS: Final = 64
"""Have their turn in a round."""
_NEXT_TURN_US: Final = 20_000
_LOOKED_AT: Final = 1_000
_MAX_ANSWER: Final = 65_536
_IDLE_S: Final = 5.0
"""Longest sleep without a wake-up."""
_LINGER_S: Final = 0.005
"""Answers that come so close to each other are written together."""
_AGAIN_S: Final = 1.0
"""After a failure of the store."""
_CLOSING_S: Final = 2.0
"""What is under way at the end may still be answered."""
_HEADERS: Final = {"Content-Type": "application/json", "User-Agent": f"Ringback/{version('ringback')}"}


@dataclass(frozen=True, slots=True)
class _Claimed:
    """Deliveries of an endpoint that are ours until a moment."""

    endpoint: Row
    rows: Sequence[Row]
    until: int
    down: bool


class Deliverer:
    """One for a process. `run` it."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        wakeup: Wakeup,
        client: GuardedClient,
        *,
        chance: Callable[[], float] = random.random,
        told: Callable[[float, int | None], None] = lambda seconds, code: None,
    ) -> None:
        """`chance` gives numbers from 0 to 1, for the pauses. `told` hears of every request: how long it took, and the
        status of its answer (None: there was none)."""
        self._db = db
        self._clock = clock
        self._wakeup = wakeup
        self._client = client
        self._chance = chance
        self._told = told
        self._news = asyncio.Event()
        self._flying: dict[asyncio.Task[None], Sent] = {}
        self._landed: list[Landed] = []
        self._round = 0
        self._again = False
        """Somebody had no turn in the last round."""
        self._served: dict[_Key, int] = {}
        """In which round an endpoint had its turn."""

    async def run(self) -> None:
        """Until it is cancelled. What is not answered by then is sent again later, by whoever delivers."""
        listening = asyncio.create_task(self._listen())
        try:
            while True:
                await self._news_until(await self._round_or_later())
        finally:
            listening.cancel()
            await asyncio.shield(self._close())

    async def settle(self) -> int | None:
        """Deliver all that is due by now, and return when something is due next, as far as is known."""
        while True:
            wrote = bool(self._landed)
            due = await self.round()
            if self._flying:
                await asyncio.wait(self._flying, return_when=asyncio.FIRST_COMPLETED)
            elif not wrote and (due is None or due > self._clock.now_us()):
                return due

    async def round(self) -> int | None:
        """Write what has been answered, claim what is due and send it. When something is due that does not wait for an
        answer; None: nothing is. Raises StoreError."""
        landed, self._landed = self._landed, []
        now = self._clock.now_us()
        try:
            busy = await webhook_endpoints.busy(self._db, now_us=now, limit=_LOOKED_AT)
            due = [row for row in busy if row["due_at"] <= now]
            claimed: list[_Claimed] = []
            if landed or due:
                # Not durable: what a crash of the machine takes back is delivered again.
                async with self._db.transaction(durable=False) as tx:
                    await written(tx, landed, now, self._chance)
                    claimed = await self._claim(tx, due, now)
        except BaseException:
            self._landed = landed + self._landed
            raise
        for some in claimed:
            for row in some.rows:
                self._send(some, row)
        if self._again:
            return now + _NEXT_TURN_US
        times = (row["due_at"] if row["due_at"] > now else row["next_due_at"] for row in busy)
        return min((at for at in times if at is not None), default=None)

    # Claiming

    async def _claim(self, tx: Transaction, due: Sequence[Row], now: int) -> list[_Claimed]:
        """For the endpoints that are due, who was not served for longest first, as far as there is room."""
        flying = Counter(sent.endpoint for sent in self._flying.values())
        down = sum(sent.down for sent in self._flying.values())
        room = AT_ONCE - len(self._flying)
        self._round += 1
        self._served = {key: self._served[key] for row in due if (key := _key(row)) in self._served}
        claimed: list[_Claimed] = []
        asked, self._again = 0, False
        for row in sorted(due, key=lambda row: self._served.get(_key(row), 0)):
            key, is_down = _key(row), policy.is_down(row["failures"])
            most = min(room, (1 if is_down else EACH_AT_ONCE) - flying[key])
            if is_down:
                most = min(most, _DOWN_AT_ONCE - down)
            if most <= 0:
                continue
            if asked == _ENDPOINTS:
                self._again = True
                break
            asked += 1
            self._served[key] = self._round
            found = await self._claimed(tx, key, is_down, most, now)
            if found is not None:
                claimed.append(found)
                room -= len(found.rows)
                down += is_down * len(found.rows)
        return claimed

    async def _claimed(self, tx: Transaction, key: _Key, down: bool, most: int, now: int) -> _Claimed | None:
        until = now + int(_LEASE_S * 1e6)
        rows = await webhook_deliveries.claim(tx, *key, now_us=now, until_us=until, limit=most)
        if not rows:
            await webhook_deliveries.put_off_told(tx, *key, now_us=now)
        endpoint = await webhook_endpoints.get(tx, *key) if rows else None
        return _Claimed(endpoint, rows, until, down) if endpoint else None

    # Sending

    def _send(self, claimed: _Claimed, row: Row) -> None:
        sent = Sent(
            endpoint=_key(claimed.endpoint),
            key=Key(row["subject"], row["position"]),
            tries=row["tries"] + 1,
            first_try_at=row["first_try_at"],
            lease_until=claimed.until,
            down=claimed.down,
        )
        task = asyncio.create_task(self._deliver(sent, claimed.endpoint, row["payload"]))
        self._flying[task] = sent
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[None]) -> None:
        del self._flying[task]
        self._news.set()

    async def _deliver(self, sent: Sent, endpoint: Row, payload: str) -> None:
        """Send it and note what came of it."""
        if self._clock.now_us() > sent.lease_until - int((TIMEOUT_S + _SPARE_S) * 1e6):
            return  # this process stood still: the lease may be somebody else's by the answer
        began_s = self._clock.monotonic()
        outcome = await self._asked(sent, endpoint, payload)
        code = outcome if isinstance(outcome, int) else outcome.code
        self._told(self._clock.monotonic() - began_s, code)
        self._landed.append(Landed(sent, outcome, self._clock.now_us()))

    async def _asked(self, sent: Sent, endpoint: Row, payload: str) -> int | Failure:
        """The status of a success."""
        now, body = self._clock.now_us(), payload.encode()
        message_id = f"{sent.key.subject}-{sent.key.position}"
        try:
            answer = await self._client.request(
                "POST",
                endpoint["url"],
                headers=_HEADERS | signed(message_id, now // 1_000_000, body, _secrets(endpoint, now)),
                body=body,
                timeout_s=TIMEOUT_S,
                max_bytes=_MAX_ANSWER,
                drop=True,
            )
        except OutboundError as error:
            return Failure(str(error))
        except Exception as error:
            logger.exception("a webhook could not be sent")
            return Failure(f"It could not be sent: {type(error).__name__}.")
        if 200 <= answer.status < 300:
            return answer.status
        redirect = " Redirects are not followed." if 300 <= answer.status < 400 else ""
        wait_us = policy.retry_after_us(answer.headers.get("retry-after"), self._clock.now_us())
        return Failure(f"The receiver answered {answer.status}.{redirect}", answer.status, wait_us)

    # Waiting

    async def _round_or_later(self) -> int | None:
        try:
            return await self.round()
        except StoreError as error:
            logger.warning("webhooks are put off for a moment: %s", error)
        except Exception:
            logger.exception("webhooks are put off for a moment")
        await self._clock.sleep(_AGAIN_S)
        return self._clock.now_us()

    async def _news_until(self, due_us: int | None) -> None:
        """Until something was answered or told, or that moment."""
        timeout = None if due_us is None else max(0.0, (due_us - self._clock.now_us()) / 1e6)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._news.wait()
        await asyncio.sleep(_LINGER_S)
        self._news.clear()

    async def _listen(self) -> None:
        while True:
            await self._wakeup.wait(WEBHOOKS, _IDLE_S)
            self._news.set()

    async def _close(self) -> None:
        """Write what is answered in time."""
        if self._flying:
            await asyncio.wait(self._flying, timeout=_CLOSING_S)
        for task in list(self._flying):
            task.cancel()
        await asyncio.gather(*self._flying, return_exceptions=True)
        landed, self._landed = self._landed, []
        if landed:
            try:
                async with self._db.transaction() as tx:
                    await written(tx, landed, self._clock.now_us(), self._chance)
            except StoreError as error:
                logger.warning("%d webhooks are sent again: %s", len(landed), error)


def _key(row: Row) -> _Key:
    return row["account_id"], row["id"]


def _secrets(endpoint: Row, now_us: int) -> list[str]:
    """Those that sign: after a rotation the old one too, for a while."""
    until = endpoint["old_secret_until"]
    old = [endpoint["old_secret"]] if until is not None and until > now_us else []
    return [endpoint["secret"], *old]
