"""Signatures of webhooks as Standard Webhooks has them, version 1 (symmetric): https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Final

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 24


def new_secret() -> str:
    """`whsec_` and 24 random bytes in base64."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed(message_id: str, at_s: int, body: bytes, secrets_: Iterable[str]) -> dict[str, str]:
    """The headers that prove a message: one signature for each of the secrets, any of which satisfies a receiver.

    `at_s` is the moment of sending, in seconds since the epoch.
    """
    content = f"{message_id}.{at_s}.".encode() + body
    signatures = [f"v1,{_signature(secret, content)}" for secret in secrets_]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signatures),
    }


def _signature(secret: str, content: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
