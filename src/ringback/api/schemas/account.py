"""The account, its sub-accounts and what they used (contract 12 and 14)."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ringback.agents.validation import Name, Part, Whole
from ringback.api.schemas.fields import Cents, Count, Data, Id, Shape, Timestamp

MOST_CALLS: Final = 1_000_000
_MOST_BYTES: Final = 16_384


class UserConcurrency(Shape):
    max: Count
    """Calls at a time; without a limit of the account's, what all call workers hold together."""
    current: Count


class User(Shape):
    """Who the key belongs to."""

    id: Id
    name: str
    email: str | None
    wallet: float
    """Cents that can be spent, without what is reserved for calls under way. Below zero only where the wallet is
    unlimited and only metered. 0 for a sub-account: its parent pays."""
    concurrency: UserConcurrency


def _small(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value, ensure_ascii=False).encode()) > _MOST_BYTES:
        raise PydanticCustomError("too_large", f"must be at most {_MOST_BYTES} bytes of JSON")
    return value


Calls = Annotated[Whole, Field(ge=0, le=MOST_CALLS)]
Metadata = Annotated[dict[str, Any], AfterValidator(_small)]


class SubAccountPatch(Part):
    """Body of PATCH; what is not in it stays as it is. Unknown keys are ignored."""

    name: Name | None = None
    email: Annotated[str, Field(max_length=320)] | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None
    metadata: Metadata | None = None
    allow_concurrent_calls: Calls | None = None
    """Calls at a time: as many are kept free for it, and no more are made."""
    min_concurrency: Calls | None = None
    """Calls at a time that are kept free for it."""
    max_concurrency: Calls | None = None
    """Calls at a time that it may have; null: as many as nobody else is promised; 0: it is paused."""


class SubAccountRequest(SubAccountPatch):
    """Body of POST /sub-accounts/create. Unknown keys are ignored."""

    name: Name
    multi_tenant: Literal[False] = False
    """A database of its own is not to be had: all accounts are in the installation's."""


class SubAccount(Shape):
    """An account of the account, without its key: that is shown only once."""

    id: Id
    name: str
    user_id: Id
    """The account that made it, and pays for it."""
    organization_id: Id
    """The same."""
    email: str | None
    description: str | None
    metadata: Data | None
    multi_tenant: Literal[False]
    allow_concurrent_calls: Count | None
    """Calls at a time that it may have now; null: any number."""
    min_concurrency: Count
    max_concurrency: Count | None
    created_at: Timestamp
    updated_at: Timestamp


class SubAccountCreated(SubAccount):
    api_key: Annotated[str, Field(pattern="^sa-[a-f0-9]{32}$")]
    """Shown this once."""


class CharactersUsed(Shape):
    characters: Count
    cost: Cents


class TimeUsed(Shape):
    duration: Annotated[float, Field(ge=0)]
    """Seconds."""
    cost: Cents


class TokensUsed(Shape):
    input: Count
    output: Count


class LlmUsed(Shape):
    cost: Cents
    tokens: dict[str, TokensUsed]
    """By model."""


class SubAccountUsage(Shape):
    """What the executions of a sub-account that were created in a span of time were, and cost."""

    from_: Annotated[Timestamp, Field(alias="from")]
    to: Timestamp
    sub_account_id: Id
    sub_account_name: str
    total_records: Count
    """Executions."""
    total_duration: Annotated[float, Field(ge=0)]
    """Seconds of conversation."""
    total_cost: Cents
    total_platform_cost: Cents
    total_telephony_cost: Cents
    status_map: dict[str, int]
    """How many executions have each status."""
    synthesizer_cost_map: dict[str, dict[str, CharactersUsed]]
    """By provider and model."""
    transcriber_cost_map: dict[str, dict[str, TimeUsed]]
    llm_cost_map: LlmUsed
