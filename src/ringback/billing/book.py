"""The price book of an account: which price holds for a line of usage at its moment. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from ringback.billing.price import ANY, EVERY_ACCOUNT, Price
from ringback.billing.rating import amount
from ringback.executions.record import UsageKind, UsageLine, UsageUnit


class PriceBook:
    """The prices of one account, those of all accounts among them, over any span of time.

    The most specific one that is valid wins: the account's own over its parent's over everybody's, then one of the
    provider's, then one of the model's.
    """

    def __init__(self, prices: Iterable[Price], account_id: str = EVERY_ACCOUNT) -> None:
        prices = list(prices)
        ends = {price.valid_until for price in prices if price.valid_until is not None}
        self.changes = sorted({price.valid_from for price in prices} | ends)
        """When any of them begins or ends (microseconds)."""
        self._prices: defaultdict[tuple[UsageKind, UsageUnit], list[Price]] = defaultdict(list)

        def rank(price: Price) -> tuple[bool, bool, bool, bool]:
            own, shared = price.account_id == account_id, price.account_id == EVERY_ACCOUNT
            return own, not shared, price.provider != ANY, price.model != ANY

        for price in sorted(prices, key=rank, reverse=True):
            self._prices[price.kind, price.unit].append(price)

    def price(self, kind: UsageKind, provider: str, model: str, unit: UsageUnit, at_us: int) -> Price | None:
        """None: it costs nothing."""
        for price in self._prices.get((kind, unit), ()):
            if price.provider in (ANY, provider) and price.model in (ANY, model) and price.holds_at(at_us):
                return price
        return None

    def rated(self, line: UsageLine) -> UsageLine:
        """The line with the price of its moment, and the amount that follows from it."""
        price = self.price(line.kind, line.provider, line.model, line.unit, line.at_us)
        if price is None:
            return replace(line, price=None, per=1, step=1, amount=0)
        cost = amount(line.quantity, *price.terms)
        return replace(line, price=price.price, per=price.per, step=price.step, amount=cost)
