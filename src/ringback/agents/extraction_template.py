"""An extraction template: a JSON schema of what is to be found in a transcript, with instructions (contract 13).
Unknown keys are ignored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from ringback.agents.answer_schema import BadSchema, asked
from ringback.agents.disposition import DEFAULT_MODEL
from ringback.agents.validation import Name, Part, check

MAX_SCHEMA: Final = 50_000
"""Characters of a schema as JSON: it stands in the question to the language model."""


def _schema(value: dict[str, Any]) -> dict[str, Any]:
    _bounded(value)
    try:
        asked(value)
    except BadSchema as error:
        raise PydanticCustomError("schema", "cannot be asked for: {why}", {"why": str(error)}) from None
    return value


def _bounded(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value, ensure_ascii=False)) > MAX_SCHEMA:
        raise PydanticCustomError("long", "must be at most {most} characters of JSON", {"most": MAX_SCHEMA})
    return value


JsonSchema = Annotated[dict[str, Any], AfterValidator(_schema)]
Object = Annotated[dict[str, Any], AfterValidator(_bounded)]
Instructions = Annotated[str, Field(max_length=20_000)]


class TemplateFields(Part):
    """What a client may say of a template."""

    model_config = ConfigDict(extra="ignore")

    name: Name
    json_schema: JsonSchema = Field(
        description="Of an object. What it asks for may also be null in an answer, and references lead nowhere else."
    )
    instructions: Instructions | None = None
    model: Name = DEFAULT_MODEL
    inputs: Object | None = Field(None, description="Of the client's own making; kept.")
    keys: Object | None = Field(None, description="Of the client's own making; kept.")
    display: bool = True
    supports_custom_questions: bool = False

    def plain(self) -> dict[str, Any]:
        """As plain JSON, every key with its value."""
        return self.model_dump(mode="json", include=set(NAMES))


NAMES: Final = tuple(TemplateFields.model_fields)


def changed(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> TemplateFields:
    """The fields with those of the changes in their place; null stands for the default. Raises InvalidInput."""
    merged = {**fields, **{name: changes[name] for name in NAMES if name in changes}}
    return check(TemplateFields, merged)
