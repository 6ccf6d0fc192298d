"""The OpenAPI description, and the documentation at /docs: one page of HTML made of it. No script, nothing from
elsewhere, so it also works without a network."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse

from ringback.api.upload import FORM

router = APIRouter()

_STYLE: Final = files("ringback.api").joinpath("docs.css").read_text()
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_SETUP: Final = "export RINGBACK=http://127.0.0.1:8080 RINGBACK_KEY=bn-..."
_BOUNDS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "{}",
}

Json = dict[str, Any]


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> Response:
    """The description itself."""
    description, _ = await _made(request.app)
    return Response(description, media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def docs(request: Request) -> Response:
    """The page."""
    _, shown = await _made(request.app)
    return HTMLResponse(shown, headers=_HEADERS)


async def _made(app: FastAPI) -> tuple[bytes, bytes]:
    """Both as bytes; made once, in a thread: it takes 0.3 s, in which other requests are answered."""
    if not hasattr(app.state, "described"):
        app.state.described = asyncio.create_task(asyncio.to_thread(_make, app))
    made: tuple[bytes, bytes] = await asyncio.shield(app.state.described)
    return made


def _make(app: FastAPI) -> tuple[bytes, bytes]:
    description = app.openapi()
    return json.dumps(description, ensure_ascii=False).encode(), page(description).encode()


def page(description: Json) -> str:
    """The whole page for an OpenAPI description whose operations have tags and examples."""
    tagged = [
        (tag, list(listed))
        for tag, listed in groupby(_operations(description), key=lambda operation: operation[2]["tags"][0])
    ]
    info = description["info"]
    title = f"{info['title']} API {info['version']}"
    setup = _element("p", "The examples take two variables. The whole description is at ", Html(_LINK), ".")
    body = (
        _element("header", _element("h1", title), _prose(info["description"]), setup, _code(_SETUP)),
        _element("nav", *_contents(tagged)),
        _element("main", *_sections(tagged), *_schemas(description["components"]["schemas"])),
    )
    head = (
        Html('<meta charset="utf-8"><meta name="viewport" content="width=device-width">'),
        _element("title", title),
        _element("style", Html(_STYLE)),
    )
    return "<!doctype html>\n" + _element("html", _element("head", *head), _element("body", *body), lang="en")


_LINK: Final = '<a href="openapi.json">openapi.json</a>'


def _operations(description: Json) -> Iterator[tuple[str, str, Json]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _contents(tagged: list[tuple[str, list[tuple[str, str, Json]]]]) -> Iterator[Html]:
    for tag, listed in tagged:
        links = [
            _element(
                "li",
                _element("a", f"{method} {path}", href=f"#{_anchor(method, path)}", class_=_old(operation)),
            )
            for method, path, operation in listed
        ]
        yield _element("h2", tag)
        yield _element("ul", *links)
    yield _element("h2", _element("a", "Schemas", href="#schemas"))


def _sections(tagged: list[tuple[str, list[tuple[str, str, Json]]]]) -> Iterator[Html]:
    for tag, listed in tagged:
        yield _element("h2", tag)
        for method, path, operation in listed:
            yield _element("section", *_section(method, path, operation), id=_anchor(method, path))


def _section(method: str, path: str, operation: Json) -> Iterator[Html]:
    yield _element("h3", _element("b", method), " ", _element("code", path, class_=_old(operation)))
    if operation.get("deprecated"):
        yield _element("p", "Kept for older clients.")
    yield _prose(operation["description"])
    if parameters := operation.get("parameters"):
        rows = [
            (p["name"], p["in"], _kind(p["schema"]), _need(p.get("required")), _prose(_said(p)))
            for p in parameters
        ]
        yield _table(("Parameter", "in", "type", "", ""), rows)
    for kind, media in operation.get("requestBody", {"content": {}})["content"].items():
        yield _element("p", "Body: ", _kind(media["schema"]), f", {kind}")
    yield _code(_curl(method, path, operation))
    answers = [
        (status, _prose(answer["description"]), _answer_kinds(answer))
        for status, answer in operation["responses"].items()
    ]
    yield _table(("Status", "", "body"), answers)
    for status, answer in operation["responses"].items():
        example = answer.get("content", {}).get("application/json", {}).get("example")
        if status.startswith("2") and example is not None:
            shown = _code(json.dumps(example, indent=2, ensure_ascii=False))
            yield _element("details", _element("summary", f"Example of {status}"), shown)


def _answer_kinds(answer: Json) -> Html:
    kinds = [
        _join(
            _kind(media["schema"]) if media.get("schema") else Html(),
            Html(" " if media.get("schema") else ""),
            kind,
        )
        for kind, media in answer.get("content", {}).items()
    ]
    return _between("<br>", kinds)


def _curl(method: str, path: str, operation: Json) -> str:
    """A command that works once the two variables are set."""
    needed = [parameter for parameter in operation.get("parameters", ()) if parameter.get("required")]
    for parameter in needed:
        path = path.replace(f"{{{parameter['name']}}}", parameter["example"])
    query = "&".join(f"{p['name']}={p['example']}" for p in needed if p["in"] == "query")
    path = f"{path}?{query}" if query else path
    lines = [f'curl -X {method} "$RINGBACK{path}"' if method != "GET" else f'curl "$RINGBACK{path}"']
    if operation.get("security"):
        lines.append('-H "Authorization: Bearer $RINGBACK_KEY"')
    kinds = operation.get("requestBody", {"content": {}})["content"]
    for kind, media in list(kinds.items())[:1]:
        lines += _form(media["example"]) if kind == FORM else _json(kind, media["example"])
    return " \\\n  ".join(lines)


def _json(kind: str, example: Any) -> list[str]:
    written = json.dumps(example, indent=2, ensure_ascii=False).replace("'", "'\\''")
    return [f"-H 'Content-Type: {kind}'", f"-d '{written}'"]


def _form(example: Json) -> list[str]:
    """A text a field, and the file from the disk."""
    fields = [
        (name, "@people.csv" if name == "file" else text)
        for name, value in example.items()
        for text in (value if isinstance(value, list) else [value])
    ]
    return [f"-F '{name}={text}'" for name, text in fields]


def _schemas(schemas: Json) -> Iterator[Html]:
    yield _element("h2", "Schemas", id="schemas")
    for name in sorted(schemas):
        schema = schemas[name]
        required = schema.get("required", ())
        rows = [
            (key, _kind(value), _need(key in required), _prose(_said(value)))
            for key, value in schema.get("properties", {}).items()
        ]
        about = _table(("Key", "type", "", ""), rows) if rows else _element("p", _kind(schema))
        yield _element("section", _element("h3", name), _prose(schema.get("description", "")), about, id=name)


def _said(holder: Json) -> str:
    """The description, or that of the one shape beside null."""
    inner = holder.get("schema", holder)
    texts = (
        holder.get("description"),
        inner.get("description"),
        *(s.get("description") for s in inner.get("anyOf", ())),
    )
    return next((text for text in texts if text), "")


def _kind(schema: Json) -> Html:
    """What a schema takes, in a few words with links."""
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        return _element("a", name, href=f"#{name}")
    if options := schema.get("anyOf"):
        return _between(" or ", (_kind(option) for option in options))
    if (values := schema.get("enum")) or "const" in schema:
        shown = values or [schema["const"]]
        texts = (value if isinstance(value, str) else json.dumps(value) for value in shown)
        return _between(", ", (_element("code", text) for text in texts))
    name = schema.get("type", "anything")
    if name == "array":
        return _join("array of ", _kind(schema.get("items", {})), _bounds(schema))
    inner = schema.get("additionalProperties")
    if name == "object" and isinstance(inner, dict):
        return _join("object of ", _kind(inner))
    return _join(name, f" ({schema['format']})" if "format" in schema else "", _bounds(schema))


def _bounds(schema: Json) -> str:
    return "".join(f", {text.format(schema[key])}" for key, text in _BOUNDS.items() if key in schema)


def _need(required: bool | None) -> str:
    return "required" if required else ""


def _old(operation: Json) -> str:
    return "old" if operation.get("deprecated") else ""


def _anchor(method: str, path: str) -> str:
    return re.sub(r"\W+", "-", f"{method.lower()}{path}").strip("-")


def _prose(text: str) -> Html:
    """Paragraphs, with `code` in backticks."""
    paragraphs = [
        re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(part))
        for part in re.split(r"\n\s*\n", text.strip())
        if part
    ]
    return Html("".join(f"<p>{paragraph}</p>" for paragraph in paragraphs))


def _code(text: str) -> Html:
    return _element("pre", _element("code", text))


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Html:
    return _element(
        "table",
        _element("tr", *(_element("th", cell) for cell in head)),
        *(_element("tr", *(_element("td", cell) for cell in row)) for row in rows),
    )


def _element(name: str, *children: str, **attributes: str) -> Html:
    written = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items() if value)
    return Html(f"<{name}{written}>{_join(*children)}</{name}>")


def _join(*children: str) -> Html:
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def _between(separator: str, parts: Iterable[Html]) -> Html:
    """The parts with markup between them."""
    return Html(separator.join(parts))
