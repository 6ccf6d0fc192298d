"""Whether the API answers; for load balancers and supervisors, without a key."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

router = APIRouter(tags=["Health"])


class Health(BaseModel):
    status: str = "ok"


@router.get("/health")
async def health() -> Health:
    """Always ok while the process answers."""
    return Health()
