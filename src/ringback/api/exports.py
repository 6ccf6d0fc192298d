"""An agent's executions as a file (contract 3.2 has the filters)."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from ringback.api.auth import AccountId
from ringback.api.encoding import Encoding, EncodingDep, Streamed
from ringback.api.errors import ApiError, responses
from ringback.api.filters import BY_MEMBER, WindowedFilters
from ringback.api.services import ServicesDep
from ringback.api.times import iso
from ringback.executions.export.formats import ExtraMissing, Format, encoder, stream

router = APIRouter(tags=["Executions"], responses=responses(400, 401, 404))

_MEDIA_TYPES: Final = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.NDJSON: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_FILE: Final[dict[str, Any]] = {
    "description": "The file",
    "headers": {
        "Content-Disposition": {"schema": {"type": "string"}, "required": True, "description": "Its name."}
    },
    "content": {
        "text/csv": {"schema": {"type": "string"}},
        "application/x-ndjson": {"schema": {"type": "string"}},
        "application/vnd.apache.parquet": _BINARY,
    },
}
_PAGING: Final = ("page_number", "page_size", "cursor")


@router.get(
    "/v2/agent/{agent_id}/executions/export",
    response_class=StreamingResponse,
    responses={200: _FILE},
    openapi_extra=BY_MEMBER,
)
async def export_executions(
    agent_id: UUID,
    account: AccountId,
    request: Request,
    filters: WindowedFilters,
    encoding: EncodingDep,
    services: ServicesDep,
    format_: Annotated[
        Format, Query(alias="format", description="`parquet` needs pyarrow on the server: 400 without.")
    ],
) -> Response:
    """All of an agent's executions that the filters let through, newest first, as one file.

    `ndjson` is an execution a line, as the v2 list has it; `csv` and `parquet` are one flat table.
    """
    given = [name for name in _PAGING if name in request.query_params]
    if given:
        raise ApiError(400, f"an export has no pages: leave {', '.join(given)} out")
    await services.agents.require(account, str(agent_id))
    try:
        file = await asyncio.to_thread(encoder, format_)
    except ExtraMissing as error:
        raise ApiError(400, str(error)) from None
    moment = iso(services.clock.now_us()).translate({ord("-"): None, ord(":"): None})
    return Streamed(
        stream(services.listing.batches(account, str(agent_id), filters), file),
        Encoding.IDENTITY if format_ is Format.PARQUET else encoding,  # which is compressed inside
        _MEDIA_TYPES[format_],
        {"Content-Disposition": f'attachment; filename="executions-{agent_id}-{moment}.{format_}"'},
    )
