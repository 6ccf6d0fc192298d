"""A port of its own for scrapes, for a role that was started without the API beside it."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server

from ringback.app.settings import Settings, SettingsError
from ringback.app.telemetry.prometheus import Prometheus

_TIMEOUT_S: Final = 5.0

_Start = Callable[[str, list[tuple[str, str]]], Any]


class _Handler(WSGIRequestHandler):
    timeout = _TIMEOUT_S
    """Of a client that connects and says nothing: one is served at a time."""

    def log_message(self, format: str, *args: Any) -> None:
        return None


@contextmanager
def port(settings: Settings, text: Callable[[], bytes]) -> Iterator[None]:
    """Answer `GET /metrics` on the port of the settings, in a thread. Raises SettingsError where it cannot be used."""
    host, number = settings.metrics.host, settings.metrics.port
    token = settings.metrics.token.get_secret_value()
    try:
        server = make_server(host, number, _application(text, token), handler_class=_Handler)
    except OSError as error:
        raise SettingsError(
            f"Metrics cannot be served on {host}:{number}: {error.strerror} (settings metrics.host, metrics.port)"
        ) from None
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _application(text: Callable[[], bytes], token: str) -> Any:
    def answer(environment: dict[str, Any], start: _Start) -> Iterable[bytes]:
        given = environment.get("HTTP_AUTHORIZATION", "")
        if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
            start("401 Unauthorized", [("WWW-Authenticate", "Bearer")])
            return [b""]
        if environment.get("PATH_INFO") != "/metrics":
            start("404 Not Found", [])
            return [b""]
        start("200 OK", [("Content-Type", Prometheus.content_type)])
        return [text()]

    return answer
