"""A price: cents for so many units of one kind of usage, from a moment on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ringback.executions.record import UsageKind, UsageUnit

ANY: Final = "*"
"""Every provider or model."""
EVERY_ACCOUNT: Final = ""


class PriceError(ValueError):
    """Prices cannot be used; the message names which, and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Price:
    """`price` cents for `per` units, charged by the started `step` of units; valid in [valid_from, valid_until)."""

    kind: UsageKind
    unit: UsageUnit
    price: Decimal
    per: int = 1
    step: int = 1
    provider: str = ANY
    model: str = ANY
    account_id: str = EVERY_ACCOUNT
    valid_from: int = 0
    valid_until: int | None = None

    def __post_init__(self) -> None:
        if not self.price.is_finite() or self.price < 0:
            raise PriceError(
                f"{self.name}: a price must be a number of at least zero cents, not {self.price}"
            )
        if self.per < 1 or self.step < 1:
            raise PriceError(f"{self.name}: per and step must be at least 1")

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What it is the price of: only one with the same key replaces it."""
        return self.kind, self.unit, self.provider, self.model

    @property
    def terms(self) -> tuple[Decimal, int, int]:
        return self.price, self.per, self.step

    @property
    def name(self) -> str:
        return f"price of {self.kind} {self.unit} (provider {self.provider}, model {self.model})"

    def holds_at(self, at_us: int) -> bool:
        return self.valid_from <= at_us and (self.valid_until is None or at_us < self.valid_until)
