"""Requests to URLs that users wrote: public addresses only, no redirects, no proxies, bounds on time and size.

The name is resolved here, once a connection, and the connection goes to an address that was checked: there is no
second look-up in which the name could have changed (DNS rebinding). Host header and TLS keep the name.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import anyio
import httpcore2

from ringback.net.addresses import Allowed, parse
from ringback.net.resolving import Resolver, SystemResolver
from ringback.net.url import BadUrl, Target, target_of

CONNECT_TIMEOUT_S: Final = 5.0
"""For the name and for each address."""
_MAX_ADDRESSES: Final = 3
_NO_NAME: Final = "its name cannot be resolved"
_CONNECTIONS: Final = 200
_KEEP_ALIVE_S: Final = 60.0
_OURS: Final = frozenset(
    (
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "accept-encoding",
    )
)
"""Headers that belong to the connection; what a user wrote for them is left out."""


_BROKEN: Final = (
    httpcore2.NetworkError,
    httpcore2.RemoteProtocolError,
    httpcore2.TimeoutException,
    anyio.EndOfStream,  # some failures of TLS come through as they are
)


class OutboundError(Exception):
    """No answer could be had; the message is one plain sentence without the path, the query or any header."""


class Forbidden(OutboundError):
    """The request was not made: its address is private and not allowed."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case; of several with one name the last."""
    body: bytes
    truncated: bool = False
    """The body went on; the rest was not read."""


class GuardedClient:
    """One for a process; connections are reused."""

    def __init__(
        self,
        allowed: Allowed,
        *,
        resolve: Resolver | None = None,
        network: httpcore2.AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`resolve`, `network` and `tls` are for tests; the defaults are the machine's."""
        self._guard = _GuardedNetwork(
            allowed, resolve or SystemResolver(), network or httpcore2.AnyIOBackend()
        )
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls or httpcore2.default_ssl_context(),
            max_connections=_CONNECTIONS,
            keepalive_expiry=_KEEP_ALIVE_S,
            network_backend=self._guard,
        )

    async def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        timeout_s: float,
        max_bytes: int,
        drop: bool = False,
    ) -> Answer:
        """Send one request and read at most `max_bytes` of the answer, all within `timeout_s`.

        A redirect is an answer like any other. `drop`: nobody looks at its body, which may be compressed then. Raises
        OutboundError.
        """
        try:
            target = target_of(url)
        except BadUrl as error:
            raise OutboundError(str(error)) from None
        try:
            async with asyncio.timeout(timeout_s):
                return await self._request(method, target, headers, body, max_bytes, drop)
        except TimeoutError:
            raise OutboundError(f"{target.host} did not answer within {timeout_s:g} s.") from None
        except _Refused as error:
            raise Forbidden(str(error)) from None
        except httpcore2.ConnectTimeout:
            raise OutboundError(f"{target.host} cannot be reached: no connection in time.") from None
        except httpcore2.ConnectError as error:
            raise OutboundError(f"{target.host} cannot be reached: {_reason(error)}.") from None
        except (httpcore2.LocalProtocolError, UnicodeError):
            raise OutboundError(f"The request to {target.host} has a header that cannot be sent.") from None
        except (*_BROKEN, OSError):
            raise OutboundError(f"{target.host} broke off the connection.") from None

    async def close(self) -> None:
        await self._pool.aclose()

    async def _request(
        self,
        method: str,
        target: Target,
        headers: Mapping[str, str],
        body: bytes | None,
        max_bytes: int,
        drop: bool,
    ) -> Answer:
        given = {name: value for name, value in headers.items() if name.lower() not in _OURS}
        given |= {"Host": target.authority, "Accept-Encoding": "identity"}
        pairs = [(name.encode(), value.encode()) for name, value in given.items()]
        url = httpcore2.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        async with self._pool.stream(
            method.encode(),
            url,
            headers=pairs,
            content=body,
            extensions={"timeout": {"connect": CONNECT_TIMEOUT_S}},
        ) as response:
            if not drop and any(name.lower() == b"content-encoding" for name, _ in response.headers):
                # Unpacked it could be of any size, and we asked for it as it is.
                raise OutboundError(f"{target.host} sent a compressed answer, which was not asked for.")
            read = bytearray()
            async for piece in response.aiter_stream():
                read += piece
                if len(read) > max_bytes:
                    break
        return Answer(
            response.status,
            {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers},
            b"" if drop else bytes(read[:max_bytes]),
            truncated=len(read) > max_bytes,
        )


class _Refused(Exception):
    pass


class _Unresolved(httpcore2.ConnectError):
    pass


class _GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only."""

    def __init__(self, allowed: Allowed, resolve: Resolver, network: httpcore2.AsyncNetworkBackend) -> None:
        self._allowed = allowed
        self._resolve = resolve
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError()
        for address in await self._addresses(host, port):
            try:
                return await self._network.connect_tcp(
                    address, port, timeout=timeout, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Those that may be connected to, at most so many as there is time to try."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                found = await self._resolve(host, port)
        except TimeoutError:
            raise _Unresolved(_NO_NAME) from None
        except OSError:
            found = []
        if not found:
            raise _Unresolved(_NO_NAME)
        good = [address for address in found if self._allowed.permits(host, parse(address))]
        if not good:
            raise _Refused(
                f"Requests to {host} are not allowed: its address is private (setting outbound.allow)."
            )
        return good[:_MAX_ADDRESSES]


def _reason(error: BaseException) -> str:
    """Why there is no connection, from what lies under the transport's error."""
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case ssl.SSLCertVerificationError():
                return f"its certificate is not valid ({cause.verify_message.rstrip('.')})"
            case ssl.SSLError():
                return "TLS failed"
            case ConnectionRefusedError():
                return "connection refused"
            case _Unresolved():
                return str(cause)
        cause = cause.__cause__ or cause.__context__
    return "no connection"
