"""Extraction templates (contract 13): what an extraction task finds out, kept by the account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from ringback.agents import extraction_template
from ringback.agents.extraction_templates import Template
from ringback.agents.validation import check
from ringback.api.auth import AccountId
from ringback.api.body import JsonObject, body_of
from ringback.api.errors import ApiError, responses
from ringback.api.schemas.extraction import (
    ExtractionTemplateCreate,
    ExtractionTemplateData,
    ExtractionTemplateDeleted,
    ExtractionTemplateList,
    ExtractionTemplateUpdate,
)
from ringback.api.services import ServicesDep
from ringback.api.streamed import array
from ringback.api.times import iso

router = APIRouter(tags=["Extraction templates"], responses=responses(400, 401))


def rendered(template: Template) -> dict[str, Any]:
    """The template as GET returns it."""
    return {
        "id": template.id,
        **template.fields,
        "created_at": iso(template.created_at),
        "updated_at": iso(template.updated_at),
    }


@router.get("/extractions", responses={200: {"model": ExtractionTemplateList}})
async def list_templates(account: AccountId, services: ServicesDep) -> Response:
    """All extraction templates of the account, in the order of their creation."""
    return array(_all(services.extraction_templates.all(account)), before=b'{"data":', after=b"}")


async def _all(found: AsyncIterator[Template]) -> AsyncIterator[dict[str, Any]]:
    async for template in found:
        yield rendered(template)


@router.post(
    "/extractions",
    status_code=201,
    responses={201: {"model": ExtractionTemplateData}, **responses(413)},
    openapi_extra=body_of("ExtractionTemplateCreate"),
)
async def create_template(body: JsonObject, account: AccountId, services: ServicesDep) -> Response:
    """Create an extraction template."""
    new = check(ExtractionTemplateCreate, body)
    return JSONResponse({"data": rendered(await services.extraction_templates.create(account, new))}, 201)


@router.get(
    "/extractions/{template_id}", responses={200: {"model": ExtractionTemplateData}, **responses(404)}
)
async def get_template(template_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """One extraction template."""
    return JSONResponse(
        {"data": rendered(await services.extraction_templates.get(account, str(template_id)))}
    )


@router.put(
    "/extractions/{template_id}",
    responses={200: {"model": ExtractionTemplateData}, **responses(404, 413)},
    openapi_extra=body_of("ExtractionTemplateUpdate"),
)
async def put_template(
    template_id: UUID, body: JsonObject, account: AccountId, services: ServicesDep
) -> Response:
    """Change what is named, and leave the rest. Calls that are over keep what was found."""
    check(ExtractionTemplateUpdate, body)
    changes = {name: body[name] for name in extraction_template.NAMES if name in body}
    if not changes:
        raise ApiError(400, "No valid fields provided to update")
    changed = await services.extraction_templates.change(account, str(template_id), changes)
    return JSONResponse({"data": rendered(changed)})


@router.delete(
    "/extractions/{template_id}",
    responses={200: {"model": ExtractionTemplateDeleted}, **responses(404)},
)
async def delete_template(template_id: UUID, account: AccountId, services: ServicesDep) -> Response:
    """Delete an extraction template. Tasks that name it find nothing any more, and the log of the call says so."""
    await services.extraction_templates.delete(account, str(template_id))
    return JSONResponse({"message": "Template deleted successfully"})
