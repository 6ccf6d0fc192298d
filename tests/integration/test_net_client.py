"""The guarded HTTP client against real servers on loopback, and against names that change."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore2
import pytest
import trustme

from ringback.net.addresses import Allowed
from ringback.net.client import Answer, Forbidden, GuardedClient, OutboundError, _GuardedNetwork
from tests.support.http_server import Page, http_server

LOOPBACK = Allowed(["127.0.0.0/8"])
PUBLIC = "93.184.216.34"


async def get(
    client: GuardedClient,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 5.0,
    max_bytes: int = 10_000,
) -> Answer:
    return await client.request("GET", url, headers=headers or {}, timeout_s=timeout_s, max_bytes=max_bytes)


class Names:
    """A resolver that tests steer: each name has answers given in turn, the last again and again."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): given for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        given = self.answers.get(host, [[]])
        return given.pop(0) if len(given) > 1 else given[0]


class Wire(httpcore2.AsyncNetworkBackend):
    """Remembers where connections went; those to a public address of a test end at loopback."""

    def __init__(self, refused: Iterable[str] = ()) -> None:
        self.connected: list[str] = []
        self._refused = tuple(refused)
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, *args: Any, **more: Any
    ) -> httpcore2.AsyncNetworkStream:
        self.connected.append(host)
        if host in self._refused:
            raise httpcore2.ConnectError("refused")
        return await self._real.connect_tcp("127.0.0.1", port, *args, **more)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def test_a_request_and_its_answer() -> None:
    async with http_server(Page(b'{"a": 1}', 201, {"X-Kind": "b"})) as server:
        client = GuardedClient(LOOPBACK)
        answer = await client.request(
            "POST",
            f"{server.url}/x?y=%20z",
            headers={"Authorization": "tok", "Content-Type": "application/json"},
            body=b'{"b": 2}',
            timeout_s=5,
            max_bytes=100,
        )
        await client.close()
    assert (answer.status, answer.body, answer.truncated) == (201, b'{"a": 1}', False)
    assert (answer.headers["x-kind"], answer.headers["content-type"]) == ("b", "application/json")
    asked = server.requests[0]
    assert (asked.method, asked.path, asked.json) == ("POST", "/x?y=%20z", {"b": 2})
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["authorization"] == "tok"


async def test_connections_are_reused() -> None:
    async with http_server(Page(b"x")) as server:
        client = GuardedClient(LOOPBACK)
        for _ in range(20):
            await get(client, server.url)
        await client.close()
    assert (len(server.requests), server.connections) == (20, 1)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "LOCALHOST.",
        "127.1",
        "0x7f.1",
        "0177.0.0.1",
        "2130706433",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "１２７.0.0.1",
    ],
)
async def test_no_spelling_of_this_machine_is_reached(host: str) -> None:
    wire = Wire()
    async with http_server(Page(b"secret")) as server:
        client = GuardedClient(Allowed(), network=wire)
        with pytest.raises((Forbidden, OutboundError)):
            await get(client, f"http://{host}:{server.port}/")
        await client.close()
    assert wire.connected == []
    assert server.connections == 0


async def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(Forbidden, match=r"169\.254\.169\.254 are not allowed.*outbound\.allow"):
        await get(GuardedClient(Allowed()), "http://169.254.169.254/latest/meta-data/")


async def test_a_name_that_turns_private_after_the_check_gains_nothing() -> None:
    """DNS rebinding: public for whoever checks, private for whoever looks again."""
    names, wire = Names(evil_example=[[PUBLIC], ["127.0.0.1"]]), Wire()
    async with http_server(Page(b"x", headers={"Connection": "close"})) as server:
        client = GuardedClient(Allowed(), resolve=names, network=wire)
        await get(client, f"http://evil.example:{server.port}/")
        # One look-up, and the connection went to what it said.
        assert (names.asked, wire.connected) == (["evil.example"], [PUBLIC])
        with pytest.raises(Forbidden):
            await get(client, f"http://evil.example:{server.port}/")
        assert wire.connected == [PUBLIC]
        assert server.connections == 1
        await client.close()


async def test_the_trick_works_on_a_client_that_looks_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken twin: without the pinned address the same names lead into this machine."""

    async def careless(
        self: _GuardedNetwork, host: str, port: int, **more: Any
    ) -> httpcore2.AsyncNetworkStream:
        await self._addresses(host, port)
        return await self._network.connect_tcp((await self._resolve(host, port))[0], port, **more)

    monkeypatch.setattr(_GuardedNetwork, "connect_tcp", careless)
    names, wire = Names(evil_example=[[PUBLIC], ["127.0.0.1"]]), Wire()
    async with http_server(Page(b"secret")) as server:
        client = GuardedClient(Allowed(), resolve=names, network=wire)
        assert (await get(client, f"http://evil.example:{server.port}/")).body == b"secret"
        await client.close()
    assert wire.connected == ["127.0.0.1"]


async def test_a_kept_connection_needs_no_name() -> None:
    names = Names(api_example=[[PUBLIC], ["127.0.0.1"]])
    async with http_server(Page(b"x")) as server:
        client = GuardedClient(Allowed(), resolve=names, network=Wire())
        for _ in range(3):
            await get(client, f"http://api.example:{server.port}/")
        await client.close()
    assert names.asked == ["api.example"]


async def test_of_mixed_addresses_only_public_ones_are_tried() -> None:
    wire = Wire(refused=["93.184.216.33"])
    mixed = ["10.0.0.1", "93.184.216.33", "::1", PUBLIC, "169.254.169.254"]
    async with http_server(Page(b"x")) as server:
        client = GuardedClient(Allowed(), resolve=Names(api_example=[mixed]), network=wire)
        await get(client, f"http://api.example:{server.port}/")
        await client.close()
    assert wire.connected == ["93.184.216.33", PUBLIC]


async def test_an_allowed_name_may_be_private() -> None:
    names = Names(crm_internal=[["127.0.0.1"]], other_internal=[["127.0.0.1"]])
    async with http_server(Page(b"x")) as server:
        client = GuardedClient(Allowed(["crm.internal"]), resolve=names)
        assert (await get(client, f"http://crm.internal:{server.port}/")).body == b"x"
        with pytest.raises(Forbidden):
            await get(client, f"http://other.internal:{server.port}/")
        await client.close()
    assert server.requests[0].headers["host"] == f"crm.internal:{server.port}"


async def test_redirects_are_answers() -> None:
    async with http_server(Page(b"secret")) as inner:
        async with http_server(Page(status=302, headers={"Location": inner.url})) as server:
            client = GuardedClient(LOOPBACK)
            assert (await get(client, server.url)).status == 302
            await client.close()
        assert inner.connections == 0


async def test_no_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with http_server(Page(b"x")) as server:
        client = GuardedClient(LOOPBACK)
        assert (await get(client, server.url)).body == b"x"
        await client.close()


async def test_no_more_is_read_than_was_asked_for() -> None:
    async with http_server(Page(b"start", drip=True)) as server, asyncio.timeout(10):
        client = GuardedClient(LOOPBACK)
        answer = await get(client, server.url, max_bytes=100)
        assert (len(answer.body), answer.body[:5], answer.truncated) == (100, b"start", True)
        await server.gone.wait()
        await client.close()


@pytest.mark.parametrize("length", [99, 100, 101])
async def test_the_limit_is_exact(length: int) -> None:
    async with http_server(Page(b"x" * length)) as server:
        client = GuardedClient(LOOPBACK)
        answer = await get(client, server.url, max_bytes=100)
        assert (len(answer.body), answer.truncated) == (min(length, 100), length > 100)
        await client.close()


async def test_the_connection_is_ours() -> None:
    named = {"HOST": "evil", "Content-Length": "7", "Transfer-encoding": "chunked", "Accept-Encoding": "gzip"}
    async with http_server(Page(b"x")) as server:
        client = GuardedClient(LOOPBACK)
        await get(client, server.url, headers={**named, "X-Own": "kept"})
        await client.close()
    headers = server.requests[0].headers
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["x-own"] == "kept"
    assert headers["accept-encoding"] == "identity"
    assert not {"content-length", "transfer-encoding"} & set(headers)


WRONG: dict[str, tuple[Page, dict[str, str], str]] = {
    "late": (Page(b"x", wait_s=30), {}, r"127\.0\.0\.1 did not answer within 0\.5 s"),
    "endless": (Page(b"x", drip=True), {}, r"did not answer within 0\.5 s"),
    "cut": (Page(b"x", breaks=True), {}, r"broke off the connection"),
    "compressed": (Page(b"x", headers={"Content-Encoding": "gzip"}), {}, "compressed"),
    "a header with a line end": (Page(b"x"), {"X": "a\r\nY: b"}, "header that cannot be sent"),
    "a header's bad name": (Page(b"x"), {"X Y": "a"}, "header that cannot be sent"),
    "half a character": (Page(b"x"), {"X": "\ud800"}, "header that cannot be sent"),
    "no HTTP": (Page(b"x", headers={"a b": "c"}), {}, "broke off"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_failures_are_a_sentence_without_secrets(what: str) -> None:
    page, headers, why = WRONG[what]
    async with http_server(page) as server, asyncio.timeout(10):
        client = GuardedClient(LOOPBACK)
        with pytest.raises(OutboundError, match=why) as raised:
            await get(
                client,
                f"{server.url}/hidden?token=hidden",
                headers={"Authorization": "hidden", **headers},
                timeout_s=0.5,
                max_bytes=1 << 30,
            )
        await client.close()
    assert "hidden" not in str(raised.value)
    assert str(raised.value).endswith(".")


async def test_nobody_listens() -> None:
    async with http_server(Page()) as server:
        url = server.url
    with pytest.raises(OutboundError, match=r"127\.0\.0\.1 cannot be reached: connection refused\."):
        await get(GuardedClient(LOOPBACK), url)


async def test_a_name_that_does_not_exist() -> None:
    async def fails(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    for resolve in (Names(), fails):
        with pytest.raises(
            OutboundError, match=r"no\.example cannot be reached: its name cannot be resolved\."
        ):
            await get(GuardedClient(LOOPBACK, resolve=resolve), "http://no.example/")


async def test_a_name_whose_servers_are_silent() -> None:
    async def silent(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(OutboundError, match=r"slow\.example did not answer within 0\.1 s\."):
        await get(GuardedClient(LOOPBACK, resolve=silent), "http://slow.example/", timeout_s=0.1)


def _tls(certified: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server that is certified for a name, and of a client that trusts the authority."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert(certified).configure_cert(server)
    authority.configure_trust(client)
    return server, client


async def test_tls_is_for_the_name_not_for_the_address() -> None:
    theirs, ours = _tls("crm.example")
    async with http_server(Page(b"x"), tls=theirs) as server:
        client = GuardedClient(Allowed(), resolve=Names(crm_example=[[PUBLIC]]), network=Wire(), tls=ours)
        assert (await get(client, f"https://crm.example:{server.port}/")).body == b"x"
        await client.close()
    assert server.names == ["crm.example"]
    assert server.requests[0].headers["host"] == f"crm.example:{server.port}"


async def test_a_certificate_for_another_name() -> None:
    theirs, ours = _tls("other.example")
    async with http_server(Page(b"x"), tls=theirs) as server:
        client = GuardedClient(Allowed(), resolve=Names(crm_example=[[PUBLIC]]), network=Wire(), tls=ours)
        with pytest.raises(
            OutboundError, match=r"crm\.example cannot be reached: its certificate is not valid"
        ):
            await get(client, f"https://crm.example:{server.port}/")
        await client.close()
    assert server.requests == []


async def test_no_tls_at_all() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 No\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(OutboundError, match=r"127\.0\.0\.1 cannot be reached: TLS failed\."):
        await get(GuardedClient(LOOPBACK), f"https://127.0.0.1:{port}/")
    server.close()
