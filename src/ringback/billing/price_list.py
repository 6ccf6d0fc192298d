"""A price list as a TOML file: read with an error that names the bad entry, and written as it can be read again."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import resources
from typing import Any, Final

from ringback.billing.price import ANY, Price, PriceError
from ringback.executions.record import UsageKind, UsageUnit

_FIELDS: Final = frozenset({"kind", "unit", "price", "per", "step", "provider", "model"})
_UNITS: Final[Mapping[UsageKind, tuple[UsageUnit, ...]]] = {
    UsageKind.NETWORK: ("ms",),
    UsageKind.PLATFORM: ("ms",),
    UsageKind.TRANSCRIBER: ("ms",),
    UsageKind.SYNTHESIZER: ("characters",),
    UsageKind.LLM: ("input_tokens", "output_tokens"),
}
_MOST: Final = 2**53
"""Of `per` and `step`: more are a slip of the finger."""


def read(text: str) -> list[Price]:
    """The prices of a file, valid for every account and always. Raises PriceError."""
    try:
        # Not as floats: 0.1 cents are 0.1 cents.
        document = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise PriceError(f"it is no TOML: {error}") from None
    entries = document.pop("prices", [])
    if document or not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise PriceError("a price list is made of [[prices]] and nothing else")
    prices: dict[tuple[str, str, str, str], Price] = {}
    for place, entry in enumerate(entries, 1):
        try:
            price = _price(entry)
        except PriceError as error:
            raise PriceError(f"[[prices]] number {place}: {error}") from None
        if price.key in prices:
            raise PriceError(f"[[prices]] number {place}: there are two of it: {price.name}")
        prices[price.key] = price
    return list(prices.values())


def write(prices: Iterable[Price]) -> str:
    """The file of these prices."""
    return "\n".join(
        f"[[prices]]\n"
        f'kind = "{price.kind}"\n'
        f"provider = {_quoted(price.provider)}\n"
        f"model = {_quoted(price.model)}\n"
        f'unit = "{price.unit}"\n'
        f'price = "{price.price:f}"\n'
        f"per = {price.per}\n"
        f"step = {price.step}\n"
        for price in prices
    )


@cache
def default() -> tuple[Price, ...]:
    """What holds where nothing was ever loaded."""
    return tuple(read(resources.files("ringback.billing").joinpath("prices.toml").read_text("utf-8")))


def _price(entry: Mapping[str, Any]) -> Price:
    if unknown := sorted(set(entry) - _FIELDS):
        raise PriceError(f"{unknown[0]} is not known; there are {', '.join(sorted(_FIELDS))}")
    kind, unit = entry.get("kind"), entry.get("unit")
    if kind not in list(UsageKind):
        raise PriceError(f"kind must be one of {', '.join(UsageKind)}, not {kind!r}")
    units = _UNITS[UsageKind(kind)]
    if unit not in units:
        raise PriceError(f"unit of {kind} must be {' or '.join(units)}, not {unit!r}")
    return Price(
        UsageKind(kind),
        unit,
        _cents(entry.get("price")),
        per=_whole(entry, "per"),
        step=_whole(entry, "step"),
        provider=_text(entry, "provider"),
        model=_text(entry, "model"),
    )


def _cents(value: object) -> Decimal:
    try:
        if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
            return Decimal(value)
    except InvalidOperation:
        pass
    raise PriceError(f"price must be a number of cents, not {value!r}")


def _whole(entry: Mapping[str, Any], name: str) -> int:
    value = entry.get(name, 1)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST:
        raise PriceError(f"{name} must be a whole number of at least 1, not {value!r}")
    return value


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name, ANY)
    if not isinstance(value, str) or not value.isprintable():
        raise PriceError(f"{name} must be a text without control characters, not {value!r}")
    return value


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
