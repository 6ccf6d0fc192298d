"""How many calls at a time each sub-account may have of what its parent may have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Share:
    minimum: int = 0
    """Calls that are kept free for it."""
    maximum: int | None = None
    """Calls that it may have; None: as many as nobody else is promised; 0: it is paused, and promised nothing."""

    @property
    def promised(self) -> int:
        return 0 if self.maximum == 0 else self.minimum


ELASTIC: Final = Share()


class BadShare(ValueError):
    """It cannot be had; the message says why, the numbers what there is."""

    def __init__(self, why: str, numbers: Mapping[str, int] | None = None) -> None:
        super().__init__(why)
        self.numbers = numbers


def check(share: Share, others: Mapping[str, Share], limit: int | None) -> None:
    """Whether a share may stand beside the others. `limit`: the parent's calls at a time, None: any number.

    Raises BadShare for one that contradicts itself, or promises more than there is.
    """
    if share.maximum and share.maximum < share.minimum:
        raise BadShare("max_concurrency must be at least min_concurrency, 0 (paused) or null (elastic)")
    if limit is None:
        return
    available = max(0, limit - sum(other.promised for other in others.values()))
    requested = max(share.promised, share.maximum or 0)
    if share.promised > available or requested > limit:
        raise BadShare(
            f"Concurrency limit exceeded: {requested} calls at a time were asked for, and {available} of the account's "
            f"{limit} are not promised to others",
            {
                "requested": requested,
                "available": available,
                "account_limit": limit,
                "subaccount_usage": limit - available,
            },
        )


def allowed(shares: Mapping[str, Share], limit: int | None) -> dict[str, int | None]:
    """Calls at a time of each (None: any number): nobody gets what another one is promised."""
    promised = sum(share.promised for share in shares.values())
    bounds: dict[str, int | None] = {}
    for key, share in shares.items():
        left = None if limit is None else max(0, limit - (promised - share.promised))
        found = [bound for bound in (share.maximum, left) if bound is not None]
        bounds[key] = min(found, default=None)
    return bounds
