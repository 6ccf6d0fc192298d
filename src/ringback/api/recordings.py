"""Recordings, for whoever holds the link from the record or the account's key (contract 3.5)."""

from __future__ import annotations

import asyncio
import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any, Final, Protocol
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from ringback.api.auth import Credentials, account_id, denied
from ringback.api.errors import ApiError, responses
from ringback.api.services import Services, ServicesDep
from ringback.executions.listing import Recording
from ringback.executions.recording_files import inside

router = APIRouter(tags=["Recordings"])
_WAV: Final[dict[str, Any]] = {"audio/wav": {}}


@router.head("/recordings/call/{execution_id}", include_in_schema=False)
@router.get(
    "/recordings/call/{execution_id}",
    response_class=FileResponse,
    responses={
        200: {"description": "The whole: left the person, right the agent", "content": _WAV},
        206: {"description": "The range asked for", "content": _WAV},
        **responses(400, 401, 404, 416),
    },
)
async def get_recording(
    execution_id: UUID,
    request: Request,
    services: ServicesDep,
    credentials: Credentials,
    token: Annotated[str | None, Query(description="From `telephony_data.recording_url`.")] = None,
) -> Response:
    """The recording of a call, whole or a range of its bytes, for the token of its link or a Bearer key."""
    found = await _opened(services.listing.recording, request, services, execution_id, token, credentials)
    return await _served(request, services, found, f"There is no recording of execution {execution_id}")


@router.head("/recordings/transfer/{execution_id}", include_in_schema=False)
@router.get(
    "/recordings/transfer/{execution_id}",
    response_class=FileResponse,
    responses={
        200: {"description": "The whole: left who took the call, right who was handed over", "content": _WAV},
        206: {"description": "The range asked for", "content": _WAV},
        **responses(400, 401, 404, 416),
    },
)
async def get_transfer_recording(
    execution_id: UUID,
    request: Request,
    services: ServicesDep,
    credentials: Credentials,
    token: Annotated[str | None, Query(description="From `transfer_call_data.recording_url`.")] = None,
) -> Response:
    """The recording of the leg that a call was transferred to, for the token of its link or a Bearer key."""
    find = services.listing.transfer_recording
    found = await _opened(find, request, services, execution_id, token, credentials)
    return await _served(
        request, services, found, f"There is no recording of a transfer of execution {execution_id}"
    )


_HEADERS = {"Cache-Control": "private, max-age=3600", "Content-Disposition": "inline"}


class _Find(Protocol):
    async def __call__(
        self, execution_id: str, *, token: str | None = None, account_id: str | None = None
    ) -> Recording | None: ...


async def _served(request: Request, services: Services, found: Recording | None, missing: str) -> Response:
    path = inside(services.recordings, found.path) if found else None
    status = await asyncio.to_thread(_file_status, path) if path else None
    if path is None or status is None:
        raise ApiError(404, missing)
    _settle_range(request, status.st_size)
    return FileResponse(path, media_type="audio/wav", stat_result=status, headers=_HEADERS)


async def _opened(
    find: _Find,
    request: Request,
    services: Services,
    execution_id: UUID,
    token: str | None,
    credentials: Credentials,
) -> Recording | None:
    if token is not None and (found := await find(str(execution_id), token=token)):
        return found
    if credentials is not None:
        account = await account_id(request, services, credentials)
        return await find(str(execution_id), account_id=account)
    if token is None:
        raise denied()
    return None


def _file_status(path: Path) -> os.stat_result | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _settle_range(request: Request, size: int) -> None:
    """Refuse a range outside the file in our envelope; drop one that is malformed or multiple, as RFC 9110
    section 14.2 allows, so that the whole file is sent."""
    asked = request.headers.get("range")
    if asked is None:
        return
    parsed = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", asked.strip())
    first, last = parsed.groups() if parsed else ("", "")
    malformed = not (first or last) or (first and last and int(first) > int(last))
    if malformed:
        scope = request.scope
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != b"range"]
    elif (int(first) if first else size - int(last)) >= size:
        raise ApiError(
            416,
            f"The range {asked} lies outside the recording of {size} bytes",
            headers={"Content-Range": f"bytes */{size}"},
        )
