"""Structured header values: addresses, Via, CSeq and Reason (RFC 3261 section 20, RFC 3326, RFC 3581)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final, Self

from ringback.telephony.sip.params import (
    Params,
    SipSyntaxError,
    find_param,
    join_params,
    quoted,
    split_outside_quotes,
    split_params,
    unquote,
)
from ringback.telephony.sip.uri import DEFAULT_PORT, SipUri, bracketed, split_host_port

BRANCH_COOKIE: Final = "z9hG4bK"
TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}\Z")
_MAX_CSEQ: Final = 2**31


@dataclass(frozen=True, slots=True)
class NameAddr:
    """The value of From, To, Contact, Route and Record-Route. `uri` is text, of any scheme."""

    uri: str
    display: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `"Name" <uri>;params` or `uri;params`. Raises SipSyntaxError."""
        text = text.strip()
        before, bracket, _ = _outside_quotes(text, "<")
        if not bracket:
            uri, _, params = text.partition(";")
            if not uri.strip() or uri.startswith('"'):
                raise SipSyntaxError("bad address")
            return cls(uri.strip(), params=split_params(params))
        uri, closing, rest = text[len(before) + 1 :].partition(">")
        if not closing or not uri.strip():
            raise SipSyntaxError("bad address")
        return cls(uri.strip(), unquote(before.strip()), split_params(rest))

    @property
    def tag(self) -> str | None:
        return find_param(self.params, "tag") or None

    def with_tag(self, tag: str) -> Self:
        others = tuple(pair for pair in self.params if pair[0].lower() != "tag")
        return replace(self, params=(*others, ("tag", tag)))

    def sip_uri(self) -> SipUri:
        """The URI, parsed. Raises SipSyntaxError when it is not a SIP URI."""
        return SipUri.parse(self.uri)

    def __str__(self) -> str:
        display = f"{quoted(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{join_params(self.params)}"


def _outside_quotes(text: str, char: str) -> tuple[str, str, str]:
    end = 0
    if text.startswith('"'):
        closing = re.match(r'"(?:[^"\\]|\\.)*"', text)
        if closing is None:
            raise SipSyntaxError("unclosed quote")
        end = closing.end()
    index = text.find(char, end)
    return (text, "", "") if index < 0 else (text[:index], char, text[index + 1 :])


@dataclass(frozen=True, slots=True)
class Via:
    """One hop of the way back."""

    host: str
    port: int | None = None
    transport: str = "UDP"
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `SIP/2.0/UDP host:port;branch=...`. Raises SipSyntaxError."""
        match = re.match(r"\s*SIP\s*/\s*2\.0\s*/\s*([A-Za-z0-9-]{1,16})\s+([^;]+)(?:;(.*))?\Z", text, re.I)
        if match is None:
            raise SipSyntaxError("bad Via")
        transport, sent_by, params = match.groups()
        host, port = split_host_port(sent_by)
        return cls(host, port, transport.upper(), split_params(params or ""))

    def param(self, name: str) -> str | None:
        return find_param(self.params, name)

    @property
    def branch(self) -> str:
        return self.param("branch") or ""

    @property
    def sent_by(self) -> str:
        return f"{self.host.lower()}:{self.port or DEFAULT_PORT}"

    def seen_from(self, source: tuple[str, int]) -> Self:
        """With the address that the request really came from (RFC 3581 section 4)."""
        kept = tuple(pair for pair in self.params if pair[0].lower() not in ("received", "rport"))
        params: Params = (*kept, ("received", source[0]))
        if self.param("rport") is not None:
            params = (*params, ("rport", str(source[1])))
        return replace(self, params=params)

    @property
    def reply_address(self) -> tuple[str, int]:
        """Where a response goes (section 18.2.2): only ever back to the host that the request came from."""
        host = self.param("received") or self.host.strip("[]")
        rport = self.param("rport")
        return host, int(rport) if rport else self.port or DEFAULT_PORT

    def __str__(self) -> str:
        port = f":{self.port}" if self.port is not None else ""
        return f"SIP/2.0/{self.transport} {bracketed(self.host)}{port}{join_params(self.params)}"


@dataclass(frozen=True, slots=True)
class CSeq:
    """The number and method that order requests in a dialog."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `1 INVITE`. Raises SipSyntaxError."""
        number, _, method = text.strip().partition(" ")
        method = method.strip()
        plausible = number.isascii() and number.isdigit() and len(number) <= 10 and TOKEN.match(method)
        if not plausible or int(number) >= _MAX_CSEQ:
            raise SipSyntaxError("bad CSeq")
        return cls(int(number), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a call was ended, in the words of the far network (RFC 3326)."""

    protocol: str
    """"SIP" or "Q.850", in capitals."""
    cause: int
    text: str = ""

    @classmethod
    def parse_all(cls, values: list[str]) -> list[Self]:
        """The readable values of Reason headers; unreadable ones are left out, they are only a courtesy."""
        found = []
        for value in (piece for line in values for piece in split_outside_quotes(line, ",")):
            protocol, _, rest = value.partition(";")
            params = split_params(rest)
            cause = find_param(params, "cause") or ""
            if cause.isascii() and cause.isdigit() and len(cause) <= 3:
                text = unquote(find_param(params, "text") or "")
                found.append(cls(protocol.strip().upper(), int(cause), text[:200]))
        return found

    def __str__(self) -> str:
        text = f";text={quoted(self.text)}" if self.text else ""
        return f"{self.protocol};cause={self.cause}{text}"
