"""What the fields of the record are made of (contract 1 and 4)."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class Shape(BaseModel):
    """An object of an answer. A field without a default is always there."""

    model_config = ConfigDict(use_attribute_docstrings=True)


Id = UUID
BatchId = Annotated[str, Field(pattern="^[a-f0-9]{32}$")]
Timestamp = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
        description="UTC, whole seconds.",
        json_schema_extra={"format": "date-time"},
    ),
]
Cents = Annotated[float, Field(ge=0, description="Cents of the account's currency, to four decimals.")]
Seconds = Annotated[float, Field(ge=0)]
WholeSeconds = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Link = Annotated[str, Field(json_schema_extra={"format": "uri"})]
Number = Annotated[str, Field(description="A telephone number, E.164 where it is one of ours or was called.")]
Data = dict[str, Any]
"""An object of the client's own making."""
