"""The price book: what a unit of each kind of usage costs, in cents of the account's currency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation


class PriceError(ValueError):
    """A price cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """Cents per minute or unit. `units` maps (kind, provider) to cents per unit; what is not listed costs nothing:
    local speech and scripted dialogue, and providers that the user pays directly (own keys).
    """

    network_per_minute: Decimal = Decimal("1.2")
    platform_per_minute: Decimal = Decimal("2")
    units: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)


def cents(text: str, name: str) -> Decimal:
    """A price as written in the settings. Raises PriceError for anything but a number of at least zero."""
    try:
        price = Decimal(text)
    except InvalidOperation:
        raise PriceError(f'{name} is "{text}", which is not a number of cents') from None
    if not price.is_finite() or price < 0:
        raise PriceError(f"{name} is {text}; a price must be a number of at least zero cents")
    return price
