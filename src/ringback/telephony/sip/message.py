"""SIP messages (RFC 3261 section 7): tolerant in, strict out, with bounds on every size."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ringback.telephony.sip.header import TOKEN, CSeq, NameAddr, Reason, Via
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.params import SipSyntaxError, split_outside_quotes

MAX_MESSAGE: Final = 32_768
"""Bytes. Larger requests get 513, larger responses are dropped."""
MAX_HEADERS: Final = 200
MAX_LINE: Final = 8_192

_COMPACT: Final = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To",
    "s": "Subject", "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip
_SPECIAL: Final = {
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "www-authenticate": "WWW-Authenticate",
    "rack": "RAck",
    "rseq": "RSeq",
    "mime-version": "MIME-Version",
    "min-se": "Min-SE",
}
_LISTS: Final = frozenset(
    {"Via", "Route", "Record-Route", "Contact", "Require", "Reason", "Supported", "Allow", "Accept"}
)
"""Header fields whose lines may hold several values between commas."""

_ONCE: Final = ("Content-Length", "Call-ID", "CSeq", "From", "To", "Max-Forwards")
"""Header fields of which two different values leave nobody sure what was meant."""

_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_RESPONSE_LINE: Final = re.compile(r"(SIP/\d{1,3}\.\d{1,3}) ([1-6]\d\d)(?: (.*))?\Z", re.I)
_VERSION: Final = re.compile(r"SIP/\d{1,3}\.\d{1,3}\Z", re.I)
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"]+\Z")

REASONS: Final = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress",
    200: "OK", 202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension",
    422: "Session Interval Too Small",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 482: "Loop Detected",
    483: "Too Many Hops", 484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error", 501: "Not Implemented",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported",
    513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline", 604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}  # fmt: skip


class Headers:
    """Header fields in their order; names compare without case and are written in their long form."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields = [_field(name, value) for name, value in fields]

    def get(self, name: str) -> str | None:
        """The first value of a field, None without it."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> list[str]:
        """Every value of a field, in order; lists between commas are split for the fields that allow it."""
        name = canonical(name)
        lines = [value for key, value in self._fields if key == name]
        if name not in _LISTS:
            return lines
        return [value for line in lines for value in split_outside_quotes(line, ",") if value]

    def add(self, name: str, value: str) -> None:
        """Append a field. Raises ValueError on characters that would break the message."""
        self._fields.append(_field(name, value))

    def set(self, name: str, *values: str) -> None:
        """Put these values in the place of the field's old ones, or at the end."""
        name = canonical(name)
        at = next((index for index, (key, _) in enumerate(self._fields) if key == name), len(self._fields))
        self._fields = [pair for pair in self._fields if pair[0] != name]
        self._fields[at:at] = [_field(name, value) for value in values]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._fields)


@dataclass(slots=True)
class _Message:
    headers: Headers = field(default_factory=Headers, kw_only=True)
    body: bytes = field(default=b"", kw_only=True)
    source: Hop | None = field(default=None, kw_only=True, compare=False)
    """Where a message that was received really came from."""

    @property
    def via(self) -> Via:
        return Via.parse(self._required("Via"))

    @property
    def from_(self) -> NameAddr:
        return NameAddr.parse(self._required("From"))

    @property
    def to(self) -> NameAddr:
        return NameAddr.parse(self._required("To"))

    @property
    def cseq(self) -> CSeq:
        return CSeq.parse(self._required("CSeq"))

    @property
    def call_id(self) -> str:
        return self._required("Call-ID")

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact, None without a readable one."""
        value = self.headers.get("Contact")
        try:
            return NameAddr.parse(value) if value and value != "*" else None
        except SipSyntaxError:
            return None

    @property
    def reasons(self) -> list[Reason]:
        return Reason.parse_all(self.headers.all("Reason"))

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; "" without a body."""
        return (self.headers.get("Content-Type") or "").partition(";")[0].strip().lower() if self.body else ""

    def set_body(self, content_type: str, body: bytes) -> None:
        self.headers.set("Content-Type", content_type)
        self.body = body

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if not value:
            raise SipSyntaxError(f"no {name}")
        return value

    def _encode(self, start_line: str) -> bytes:
        lines = [
            start_line,
            *(f"{name}: {value}" for name, value in self.headers if name != "Content-Length"),
        ]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body


@dataclass(slots=True)
class Request(_Message):
    """A request; `uri` is the Request-URI as text."""

    method: str
    uri: str

    def encode(self) -> bytes:
        return self._encode(f"{self.method} {self.uri} SIP/2.0")

    def response(self, status: int, to_tag: str | None = None, reason: str | None = None) -> Response:
        """A response to this request, with the fields that section 8.2.6 demands."""
        headers = Headers(("Via", value) for value in self.headers.all("Via"))
        for name in ("From", "To", "Call-ID", "CSeq"):
            value = self.headers.get(name)
            if value is not None:
                headers.add(name, value)
        if to_tag is not None and (tagged := self._to_with(to_tag)) is not None:
            headers.set("To", tagged)
        return Response(status, reason or REASONS.get(status, "Unknown"), headers=headers)

    def _to_with(self, tag: str) -> str | None:
        """To with a tag; None where it has one, or goes back unread, as it came."""
        try:
            return str(self.to.with_tag(tag)) if self.to.tag is None else None
        except SipSyntaxError:
            return None


@dataclass(slots=True)
class Response(_Message):
    """A response."""

    status: int
    reason: str

    def encode(self) -> bytes:
        return self._encode(f"SIP/2.0 {self.status} {self.reason}".rstrip(" "))


class MalformedMessage(SipSyntaxError):
    """Bytes that are no SIP message. `request` is what could be read, if an honest error can be answered."""

    def __init__(self, text: str, status: int = 400, request: Request | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.request = request


def _field(name: str, value: str) -> tuple[str, str]:
    if not TOKEN.match(name) or _CONTROL.search(value):
        raise ValueError(f"{name!r} is no header field, or its value holds control characters")
    return canonical(name), value


def canonical(name: str) -> str:
    """The long form of a field name, in the RFC's capitals."""
    lower = name.lower()
    if lower in _COMPACT:
        return _COMPACT[lower]
    return _SPECIAL.get(lower) or "-".join(part.capitalize() for part in lower.split("-"))


def parse(data: bytes) -> Request | Response | None:
    """Read one datagram; None for a keep-alive (only line ends). Raises MalformedMessage."""
    data = data.lstrip(b"\r\n\x00")
    if not data:
        return None
    head, body = _split(data[:MAX_MESSAGE])
    lines = _unfold(head)
    message, version = _start_line(lines[0])
    message.headers, readable = _headers(lines[1:])
    request = message if isinstance(message, Request) else None
    if version.upper() != "SIP/2.0":
        raise MalformedMessage("unknown version", 505, request)
    if len(data) > MAX_MESSAGE or len(lines) > MAX_HEADERS:
        raise MalformedMessage("too large", 513, request)
    if not readable or (request is not None and not _tidy(request, lines[0])):
        raise MalformedMessage("bad start line or header line", 400, request)
    try:
        message.body = _body(message.headers, body)
        _check(message)
    except SipSyntaxError as error:
        raise MalformedMessage(str(error), 400, request) from error
    return message


def _split(data: bytes) -> tuple[str, bytes]:
    match = re.search(rb"\r\n\r\n|\n\n", data)
    head, body = (data[: match.start()], data[match.end() :]) if match else (data, b"")
    return head.decode("utf-8", "surrogateescape"), body


def _unfold(head: str) -> list[str]:
    """The lines of the head; a line that starts with white space continues the one before (section 7.3.1)."""
    lines: list[str] = []
    for line in head.replace("\r\n", "\n").split("\n"):
        if line[:1] in (" ", "\t") and lines:
            lines[-1] = f"{lines[-1].rstrip()} {line.strip()}"
        else:
            lines.append(line)
    return lines


def _start_line(line: str) -> tuple[Request | Response, str]:
    """The message without its fields, and the version it claims."""
    line = line.strip()
    if len(line) <= MAX_LINE and not _CONTROL.search(line):
        if match := _RESPONSE_LINE.match(line):
            return Response(int(match[2]), (match[3] or "").strip()), match[1]
        words = line.split()
        if len(words) > 2 and TOKEN.match(words[0]) and _VERSION.match(words[-1]):
            return Request(words[0], " ".join(words[1:-1])), words[-1]
    raise MalformedMessage("bad start line")


def _tidy(request: Request, line: str) -> bool:
    """Whether a request line has its three parts between single spaces, the middle one a URI."""
    return line.strip().split(" ")[1:-1] == [request.uri] and _URI.match(request.uri) is not None


def _headers(lines: list[str]) -> tuple[Headers, bool]:
    """The readable fields, and whether all were."""
    headers, readable = Headers(), True
    for line in lines[:MAX_HEADERS]:
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if colon and TOKEN.match(name) and len(value) <= MAX_LINE and not _CONTROL.search(value):
            headers.add(name, value)
        else:
            readable = False
    return headers, readable


def _body(headers: Headers, rest: bytes) -> bytes:
    length = headers.get("Content-Length")
    if length is None:
        return rest
    if not (length.isascii() and length.isdigit() and len(length) <= 7):
        raise SipSyntaxError("bad Content-Length")
    if int(length) > len(rest):
        raise SipSyntaxError("body shorter than Content-Length")
    return rest[: int(length)]


def _check(message: Request | Response) -> None:
    """Parse what everything else relies on, so that it cannot fail later."""
    for value in message.headers.all("Via"):
        Via.parse(value)
    for name in _ONCE:
        if len(set(message.headers.all(name))) > 1:
            raise SipSyntaxError(f"several values of {name}")
    _ = message.via, message.from_, message.to, message.call_id
    if isinstance(message, Request) and message.cseq.method != message.method:
        raise SipSyntaxError("CSeq names another method")
    _ = message.cseq
