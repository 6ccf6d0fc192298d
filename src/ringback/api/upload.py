"""Forms (multipart/form-data, RFC 7578): small fields in memory, one file straight to the disk.

Parsing and writing happen in a thread, a chunk of the body at a time, so that a large file holds nobody else up.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final, ParamSpec, TypeVar
from urllib.parse import parse_qsl
from uuid import uuid4

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from ringback.api.body import whole
from ringback.api.errors import ApiError
from ringback.dialing.uploads import FINISHED, UNFINISHED, hold

P = ParamSpec("P")
T = TypeVar("T")

FORM: Final = "multipart/form-data"
URL_ENCODED: Final = "application/x-www-form-urlencoded"

_IDLE_S: Final = 30.0
_WHOLE_S: Final = 3600.0
_MOST_PARTS: Final = 1_000
_LONGEST_FIELD: Final = 65_536
"""Bytes."""
_LONGEST_HEADER: Final = 4_096
_LONGEST_NAME: Final = 255
_KEPT_FREE: Final = 268_435_456
"""Bytes of the disk that uploads leave to others, such as the database."""
_AFTER_STOP_S: Final = 4.0
"""What has not arrived so long after the process was told to stop is refused, while there is still time to say so."""


@dataclass
class Upload:
    """A file that came with a form. It lies in its folder under a name that is not finished, until it is placed."""

    id: str
    """32 hex digits."""
    name: str
    """As the client calls it."""
    path: Path
    size: int
    digest: str
    """A hash of what is in it."""
    placed: bool = False

    def place(self) -> None:
        """Give it its lasting name, `<id>.csv`, on the disk for good; who calls answers for it from here on."""
        final = self.path.with_name(f"{self.id}{FINISHED}")
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.rename(final)
        self.path, self.placed = final, True
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


@dataclass
class Form:
    fields: dict[str, list[str]] = field(default_factory=dict)
    """The texts by their names, in the order they came, without empty ones: forms also send what was not filled in."""
    upload: Upload | None = None

    def one(self, name: str) -> str | None:
        """The text of a field that may stand there once. Raises ApiError(400)."""
        texts = self.fields.get(name, [])
        if len(set(texts)) > 1:
            raise ApiError(400, f"{name} was sent {len(texts)} times: send one")
        return texts[0] if texts else None


def is_form(request: Request, kind: str = FORM) -> bool:
    return _content_type(request)[0] == kind.encode()


async def url_encoded(request: Request) -> dict[str, str]:
    """The fields of the other kind of form; of several with one name the last. Raises ApiError: 400, 408, 413."""
    try:
        return dict(parse_qsl((await whole(request)).decode(), max_num_fields=_MOST_PARTS, errors="strict"))
    except ValueError as error:
        raise ApiError(400, f"The body is not {URL_ENCODED}: {error}") from None


@asynccontextmanager
async def received(
    request: Request,
    *,
    file: str | None = None,
    folder: Path | None = None,
    max_bytes: int = 0,
    stopping: asyncio.Event | None = None,
) -> AsyncIterator[Form]:
    """Read a form; the part `file` goes to the folder. A file that was not placed is gone after the block.

    `stopping` is set when the process is told to stop: what arrives within a few seconds is still taken.
    Raises ApiError: 400, 408, 413, 503 where the disk does not take it or the process stops.
    """
    kind, options = _content_type(request)
    boundary = options.get(b"boundary")
    if kind != FORM.encode() or not boundary:
        raise ApiError(400, f"Send a form: Content-Type {FORM} with its boundary")
    try:
        parts = _Parts(boundary, file, folder, max_bytes)
    except FormParserError as error:
        raise ApiError(400, f"The body is not {FORM}: {error}") from None
    try:
        await _read(request, parts.feed, stopping or asyncio.Event())
        form = await in_thread(parts.end)
        yield form
    except FormParserError as error:
        raise ApiError(400, f"The body is not {FORM}: {error}") from None
    except OSError as error:
        raise ApiError(
            503, f"The file cannot be kept: {error.strerror or error}", headers={"Retry-After": "60"}
        ) from None
    finally:
        parts.close()


async def in_thread(work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """As `asyncio.to_thread`, but never over before the work is: who is cancelled removes what that writes."""
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **named))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _read(request: Request, feed: Callable[[bytes], None], stopping: asyncio.Event) -> None:
    stream = request.stream()
    try:
        async with asyncio.timeout(_WHOLE_S) as whole:
            hurrying = asyncio.create_task(_hurry(whole, stopping))
            try:
                while True:
                    async with asyncio.timeout(_IDLE_S):
                        chunk = await anext(stream, None)
                    if chunk is None:
                        return
                    await in_thread(feed, chunk)
            finally:
                hurrying.cancel()
    except TimeoutError:
        if stopping.is_set():
            raise ApiError(
                503, "The server is stopping; send the file again in a moment", headers={"Retry-After": "10"}
            ) from None
        raise ApiError(
            408, f"The body did not arrive: nothing for {_IDLE_S:.0f} seconds, or not all of it in an hour"
        ) from None
    except ClientDisconnect:
        raise ApiError(400, "The body ended too early") from None


async def _hurry(whole: asyncio.Timeout, stopping: asyncio.Event) -> None:
    await stopping.wait()
    whole.reschedule(asyncio.get_running_loop().time() + _AFTER_STOP_S)


def _content_type(request: Request) -> tuple[bytes, dict[bytes, bytes]]:
    return parse_options_header(request.headers.get("content-type", ""))


class _Parts:
    """Takes a form in as it comes. Not for several threads at once."""

    def __init__(self, boundary: bytes, file: str | None, folder: Path | None, max_bytes: int) -> None:
        """Raises FormParserError."""
        self._file = file
        self._folder = folder
        self._max_bytes = max_bytes
        self._form = Form()
        self._parts = 0
        self._whole = False
        self._writing: BinaryIO | None = None
        self._hash = hashlib.blake2b(digest_size=16)
        self._new_part()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._new_part,
                "on_header_field": partial(self._head, 0),
                "on_header_value": partial(self._head, 1),
                "on_header_end": self._header_ended,
                "on_headers_finished": self._headers_ended,
                "on_part_data": self._data,
                "on_part_end": self._part_ended,
                "on_end": self._ended,
            },
        )

    def feed(self, chunk: bytes) -> None:
        """Raises FormParserError, ApiError, OSError."""
        self._parser.write(chunk)

    def end(self) -> Form:
        """The form, which must be whole. Raises ApiError, OSError."""
        if not self._whole:
            raise ApiError(400, "The form ended too early: its closing boundary is missing")
        upload = self._form.upload
        if self._writing is not None and upload is not None:
            self._writing.flush()
            upload.digest = self._hash.hexdigest()
            if not (upload.size or upload.name):  # a browser's form in which no file was chosen
                upload.discard()
                self._form.upload = None
        return self._form

    def close(self) -> None:
        if self._writing is not None:
            with suppress(OSError):
                self._writing.close()
        if self._form.upload is not None and not self._form.upload.placed:
            self._form.upload.discard()

    # What the parser calls

    def _new_part(self) -> None:
        self._header = [b"", b""]
        self._disposition = self._text = b""
        self._name = ""
        self._to_disk = False

    def _head(self, which: int, data: bytes, start: int, end: int) -> None:
        self._header[which] += data[start:end]
        if len(self._header[which]) > _LONGEST_HEADER:
            raise ApiError(400, f"A header of a part of the form is longer than {_LONGEST_HEADER} bytes")

    def _header_ended(self) -> None:
        name, value = self._header
        if name.lower() == b"content-disposition":
            self._disposition = value
        self._header = [b"", b""]

    def _headers_ended(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise ApiError(400, f"The form has more than {_MOST_PARTS} parts")
        _, options = parse_options_header(self._disposition)
        if b"name" not in options:
            raise ApiError(400, "A part of the form has no name in its Content-Disposition")
        self._name = _utf8(options[b"name"], "the name of a part")
        self._to_disk = self._name == self._file
        if self._to_disk:
            self._open(_file_name(options.get(b"filename")))

    def _open(self, name: str) -> None:
        if self._form.upload is not None:
            raise ApiError(400, f"{self._file} was sent twice: send one file")
        assert self._folder is not None
        self._folder.mkdir(parents=True, exist_ok=True)
        id_ = uuid4().hex
        path = self._folder / f"{id_}{UNFINISHED}"
        self._writing = path.open("x+b")
        self._form.upload = Upload(id_, name, path, 0, "")
        hold(self._writing.fileno())

    def _data(self, data: bytes, start: int, end: int) -> None:
        piece = data[start:end]
        if not self._to_disk:
            self._text += piece
            if len(self._text) > _LONGEST_FIELD:
                raise ApiError(400, f"{self._name} is longer than {_LONGEST_FIELD} bytes")
            return
        upload, writing = self._form.upload, self._writing
        assert upload is not None
        assert writing is not None
        upload.size += len(piece)
        if upload.size > self._max_bytes:
            raise ApiError(
                413, f"{self._file} is too large: send at most {self._max_bytes} bytes, or several batches"
            )
        _require_room(writing)
        self._hash.update(piece)
        writing.write(piece)

    def _part_ended(self) -> None:
        if not self._to_disk and (text := _utf8(self._text, self._name).strip()):
            self._form.fields.setdefault(self._name, []).append(text)

    def _ended(self) -> None:
        self._whole = True


def _require_room(file: BinaryIO) -> None:
    """Raises OSError where so little is left of its disk that others need it."""
    disk = os.fstatvfs(file.fileno())
    if disk.f_bavail * disk.f_frsize < _KEPT_FREE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _utf8(text: bytes, what: str) -> str:
    try:
        decoded = text.decode()
    except UnicodeDecodeError as error:
        raise ApiError(400, f"{what} is not UTF-8 at byte {error.start}") from None
    if "\0" in decoded:
        raise ApiError(400, f"{what} holds a character that cannot be stored (NUL)")
    return decoded


def _file_name(sent: bytes | None) -> str:
    """The last part of a path, without what a terminal or a header would stumble over."""
    name = (sent or b"").decode("utf-8", "replace").replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in name if character.isprintable()).strip()[:_LONGEST_NAME]
