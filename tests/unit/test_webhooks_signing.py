"""Signatures of webhooks, verified with the library that receivers use."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from ringback.net.signing import new_secret, signed

BODY = '{"status":"completed","name":"Zoë"}'.encode()


def now() -> int:
    """The library refuses what is minutes old."""
    return int(time.time())


def test_a_receiver_verifies_it() -> None:
    secret = new_secret()
    headers = signed("4c06b4d1-3", now(), BODY, [secret])
    assert Webhook(secret).verify(BODY, headers) == {"status": "completed", "name": "Zoë"}


def test_while_a_secret_is_replaced_both_verify_it() -> None:
    new, old = new_secret(), new_secret()
    headers = signed("id-1", now(), BODY, [new, old])
    assert headers["webhook-signature"].count("v1,") == 2
    for secret in (new, old):
        Webhook(secret).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, headers)


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        ({"webhook-id": "id-2"}, BODY),
        ({"webhook-timestamp": str(now() - 1)}, BODY),
        ({}, BODY.replace(b"completed", b"failed")),
    ],
    ids=["id", "time", "body"],
)
def test_what_was_changed_is_refused(changed: dict[str, str], body: bytes) -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body, signed("id-1", now(), BODY, [secret]) | changed)


def test_an_old_message_sent_again_is_refused() -> None:
    secret = new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY, signed("id-1", now() - 3600, BODY, [secret]))


def test_secrets_are_long_and_never_the_same() -> None:
    secrets = {new_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert {len(base64.b64decode(secret.removeprefix("whsec_"))) for secret in secrets} == {24}


@given(st.dictionaries(st.text(), st.text(), max_size=3), st.integers(1, 10**6))
def test_any_body_is_verified(data: dict[str, str], position: int) -> None:
    body, secret = json.dumps(data, ensure_ascii=False).encode("utf-8", "backslashreplace"), new_secret()
    assert Webhook(secret).verify(body, signed(f"x-{position}", now(), body, [secret])) == json.loads(body)
