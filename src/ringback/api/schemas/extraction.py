"""Extraction templates: what is asked and what is answered (contract 13)."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import ConfigDict

from ringback.agents.extraction_template import Instructions, JsonSchema, Object, TemplateFields
from ringback.agents.validation import Name, Part
from ringback.api.schemas.fields import Data, Id, Shape, Timestamp


class ExtractionTemplateCreate(TemplateFields):
    """Body of POST. Unknown keys are ignored."""


class ExtractionTemplateUpdate(Part):
    """Body of PUT: what is named is changed, null sets the default. Unknown keys are ignored, also those that GET
    adds."""

    model_config = ConfigDict(extra="ignore")

    name: Name | None = None
    json_schema: JsonSchema | None = None
    instructions: Instructions | None = None
    model: Name | None = None
    inputs: Object | None = None
    keys: Object | None = None
    display: bool | None = None
    supports_custom_questions: bool | None = None


class ExtractionTemplate(Shape):
    """What is to be found in a transcript, for the extraction tasks that name its id."""

    id: Id
    name: Name
    json_schema: Data
    instructions: str | None
    model: Name
    inputs: Data | None
    keys: Data | None
    display: bool
    supports_custom_questions: bool
    created_at: Timestamp
    updated_at: Timestamp


class ExtractionTemplateData(Shape):
    data: ExtractionTemplate


class ExtractionTemplateList(Shape):
    data: list[ExtractionTemplate]
    """In the order of creation."""


class ExtractionTemplateDeleted(Shape):
    message: Literal["Template deleted successfully"]


_FIELDS: Final[Data] = {
    "name": "Lead Qualification",
    "json_schema": {
        "type": "object",
        "properties": {"lead_quality": {"type": "string", "enum": ["hot", "cold"]}},
        "required": ["lead_quality"],
    },
    "instructions": "Judge by what the customer said last.",
    "model": "gpt-4.1-mini",
    "inputs": None,
    "keys": None,
    "display": True,
    "supports_custom_questions": False,
}
_SHOWN: Final[Data] = {
    "id": "9f4d2c1e-7a3b-4d56-8e21-5c0b9a8f7e6d",
    **_FIELDS,
    "created_at": "2024-01-23T01:10:00Z",
    "updated_at": "2024-01-23T01:10:00Z",
}
EXTRACTION_EXAMPLES: Final[Data] = {
    "ExtractionTemplateCreate": _FIELDS,
    "ExtractionTemplateUpdate": {"instructions": "Judge by the whole call."},
    "ExtractionTemplateData": {"data": _SHOWN},
    "ExtractionTemplateList": {"data": [_SHOWN]},
    "ExtractionTemplateDeleted": {"message": "Template deleted successfully"},
}
