"""One request of ours and its answer, through the digest challenges that it meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ringback.telephony.sip.auth import MAX_ATTEMPTS, DigestSession
from ringback.telephony.sip.hop import Hop
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.transaction import Event, always
from ringback.telephony.sip.transaction_layer import ClientTransaction


class Sender(Protocol):
    def send_request(
        self,
        request: Request,
        hop: Hop,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Event], None],
        in_time: Callable[[], bool] = always,
    ) -> ClientTransaction: ...


class Exchange:
    """Sends what `build` makes, anew for every attempt (which takes a new CSeq), until it is answered."""

    def __init__(
        self,
        sender: Sender,
        digest: DigestSession,
        build: Callable[[], Request],
        hop: Hop,
        on_response: Callable[[Request, Response], None],
        on_failure: Callable[[Event], None],
        in_time: Callable[[], bool] = always,
    ) -> None:
        """Nothing is sent once `in_time` says no: that is the same as no answer."""
        self.retrying = True
        """Set to False to let the next challenge be the end."""
        self._sender = sender
        self._digest = digest
        self._build = build
        self._hop = hop
        self._on_response = on_response
        self._on_failure = on_failure
        self._in_time = in_time
        self._challengers: set[str] = set()
        self._attempts = 0

    def start(self) -> None:
        if not self._in_time():
            self._on_failure(Event.TIMEOUT)
            return
        self._attempts += 1
        request = self._build()
        self._digest.authorize(request)
        self.transaction = self._sender.send_request(
            request,
            self._hop,
            lambda response: self._received(request, response),
            self._on_failure,
            self._in_time,
        )

    def _received(self, request: Request, response: Response) -> None:
        if (
            response.status in (401, 407)
            and self.retrying
            and self._attempts < MAX_ATTEMPTS
            and self._digest.learn(response, self._challengers)
        ):
            self.start()
        else:
            self._on_response(request, response)
