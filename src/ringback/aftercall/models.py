"""Who is asked about a call, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from ringback.agents.chat import ChatUsage
from ringback.agents.plan import ChatPlan
from ringback.billing.prices import Prices
from ringback.clock import Clock
from ringback.executions.record import UsageKind, UsageLine, UsagePurpose, UsageUnit
from ringback.llm.structured import Model

_UNITS: Final[tuple[UsageUnit, UsageUnit]] = ("input_tokens", "output_tokens")
NO_MODEL: Final = "without a language model"


class NoModel(Exception):
    """The language model that is named cannot be asked; the message says why."""


class Models(Protocol):
    def of(self, plan: ChatPlan | None, name: str | None = None) -> Model | None:
        """The model of a plan (None: the installation's own), or the one of this name at its endpoint.

        None where there is no language model at all. Raises NoModel.
        """
        ...


class Bill:
    """Usage of language models after a call, rated."""

    def __init__(self, prices: Prices, clock: Clock) -> None:
        self._prices = prices
        self._clock = clock

    async def lines(
        self, account_id: str, usage: Sequence[ChatUsage], purpose: UsagePurpose
    ) -> list[UsageLine]:
        """One line for each model and unit, and apart what was only estimated."""
        now = self._clock.now_us()
        sums: dict[tuple[str, str, bool], list[int]] = {}
        for used in usage:
            counts = sums.setdefault((used.provider, used.model, used.estimated), [0, 0])
            counts[0] += used.input_tokens
            counts[1] += used.output_tokens
        if not sums:
            return []
        book = await self._prices.book(account_id)
        return [
            book.rated(
                UsageLine(
                    UsageKind.LLM,
                    provider,
                    model,
                    unit,
                    quantity,
                    detail="estimated" if estimated else "",
                    at_us=now,
                    purpose=purpose,
                )
            )
            for (provider, model, estimated), counts in sums.items()
            for unit, quantity in zip(_UNITS, counts, strict=True)
        ]
