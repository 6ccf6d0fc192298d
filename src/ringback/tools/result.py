"""What a function's server answered, as the language model is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message
from typing import Any, Final

from ringback.agents.storable import read_json, storable_text
from ringback.agents.tools import ToolResult
from ringback.net.client import Answer

MAX_BYTES: Final = 256 * 1024
"""Of an answer that are read."""
MAX_TOLD: Final = 4000
"""Characters of an answer that the model is told: about a thousand tokens, in every question that follows."""
MAX_ERROR: Final = 500
MAX_VALUES: Final = 64 * 1024
"""Bytes of an answer whose members become variables: the audio waits while it is read."""


def result_of(answer: Answer) -> ToolResult:
    text = _text(answer)
    if not 200 <= answer.status < 300:
        return ToolResult(_failure(answer, text), failed=True, status=answer.status)
    if text is None:
        kind = answer.headers.get("content-type", "no type given")
        return ToolResult(f"The answer is not text ({kind}).", status=answer.status)
    if not text.strip():
        return ToolResult(f"Done (HTTP {answer.status}, an empty answer).", status=answer.status)
    return ToolResult(_told(text, answer), status=answer.status, values=_values(text, answer))


def _failure(answer: Answer, text: str | None) -> str:
    if 300 <= answer.status < 400:
        return f"The server answered with a redirect (HTTP {answer.status}), which is not followed."
    detail = " ".join((text or "").split())
    if len(detail) > MAX_ERROR:
        detail = f"{detail[:MAX_ERROR]} (cut)"
    said = f"The server answered HTTP {answer.status}"
    return f"{said}: {detail}" if detail else f"{said}."


def _told(text: str, answer: Answer) -> str:
    if len(text) <= MAX_TOLD and not answer.truncated:
        return text
    whole = f"over {MAX_BYTES // 1024} kB" if answer.truncated else f"{len(text)} characters"
    return f"{text[:MAX_TOLD]}\n(The answer was cut here; it has {whole}.)"


def _values(text: str, answer: Answer) -> Mapping[str, Any]:
    """The members of a JSON object, whatever the server says it is."""
    if len(answer.body) > MAX_VALUES:
        return {}
    try:
        value = read_json(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(answer: Answer) -> str | None:
    """None where it is none."""
    header = Message()
    header["content-type"] = answer.headers.get("content-type", "text/plain")
    charset = header.get_content_charset("utf-8")
    try:
        text = answer.body.decode(charset, errors="replace")
    except LookupError:
        text = answer.body.decode(errors="replace")
    readable = header.get_content_maintype() == "text" or any(
        word in header.get_content_subtype() for word in ("json", "xml", "javascript", "urlencoded")
    )
    if not readable and ("\0" in text or "\ufffd" in text):
        return None
    return storable_text(text)
