"""The socket of the API process."""

from __future__ import annotations

import socket

from ringback.app.api import _listen
from ringback.app.settings import Settings


def test_an_answer_does_not_wait_for_acknowledgements() -> None:
    with _listen(Settings(port=0)) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
