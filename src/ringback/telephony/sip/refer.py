"""A blind transfer: a REFER of ours in a dialog, and what the peer tells of it (RFC 3515, RFC 4488, RFC 3892)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ringback.telephony.sip.auth import DigestSession
from ringback.telephony.sip.dialog import Dialog
from ringback.telephony.sip.events import Emit, ReferProgress
from ringback.telephony.sip.exchange import Exchange
from ringback.telephony.sip.message import Request, Response
from ringback.telephony.sip.params import SipSyntaxError, find_param, split_params
from ringback.telephony.sip.transaction import Event
from ringback.telephony.sip.transaction_layer import ServerTransaction
from ringback.telephony.sip.uri import SipUri, scheme_of

if TYPE_CHECKING:
    from ringback.telephony.sip.agent import UserAgent

PATIENCE: Final = 180.0
"""Seconds from the REFER until a peer that tells no result has failed: as long as a telephone may ring."""
FRAGMENT: Final = "message/sipfrag"
_STATUS_LINE: Final = re.compile(rb"\s*SIP/2\.0[ \t]+([1-6]\d\d)\b", re.I)


def refer_to(target: str, dialog: Dialog) -> str:
    """The URI that `target` means: a SIP or tel URI as it is, a number or name at the peer's host.

    Raises SipSyntaxError on text that is no address.
    """
    if scheme_of(target) in ("sip", "sips"):
        return str(SipUri.parse(target))
    if not target.strip() or any(char in '<>"' or not char.isprintable() for char in target):
        raise SipSyntaxError("no address to transfer to")
    if scheme_of(target) == "tel":
        return target.strip()
    try:
        peer = dialog.remote.sip_uri()
    except SipSyntaxError:
        peer = dialog.target
    return str(SipUri.of(target.strip(), peer.host, peer.port))


class Referral:
    """One REFER until its result is known, which is emitted as `ReferProgress`; the last one is final."""

    def __init__(self, agent: UserAgent, dialog: Dialog, digest: DigestSession, emit: Emit, uri: str) -> None:
        """`uri` is where the peer is to call (`refer_to`)."""
        self.over = False
        self._agent = agent
        self._dialog = dialog
        self._digest = digest
        self._emit = emit
        self._uri = uri
        self._ids: set[int] = set()
        """The CSeq numbers of our attempts: what names this subscription beside others (RFC 3515 section 2.4.6)."""
        self._last = 100
        self._patience = agent.timers.call_later(PATIENCE, lambda: self._tell(408, final=True))

    def start(self) -> None:
        Exchange(
            self._agent, self._digest, self._build, self._dialog.hop, self._answered, self._failed
        ).start()

    def owns(self, notify: Request) -> bool:
        """Whether a NOTIFY speaks of this transfer."""
        package, _, params = (notify.headers.get("Event") or "").partition(";")
        try:
            number = find_param(split_params(params), "id")
        except SipSyntaxError:
            return False
        return package.strip().lower() == "refer" and (not number or number in map(str, self._ids))

    def notified(self, transaction: ServerTransaction) -> None:
        """Take a NOTIFY that it owns. One without a legible result is acknowledged and changes nothing."""
        notify = transaction.request
        transaction.respond(self._agent.response(notify, 200))
        status = _STATUS_LINE.match(notify.body) if notify.content_type == FRAGMENT else None
        state = (notify.headers.get("Subscription-State") or "").partition(";")[0].strip().lower()
        if status is not None:
            self._last = int(status[1])
        if self._last >= 200 or state == "terminated":
            # Without a result the peer merely stops telling: the last that it told is all there is.
            self._tell(self._last, final=True)
        elif status is not None:
            self._tell(self._last, final=False)

    def stop(self) -> None:
        """The call is over: nothing more is told."""
        self.over = True
        self._patience.cancel()

    def _build(self) -> Request:
        request = self._dialog.request("REFER")
        self._ids.add(request.cseq.number)
        request.headers.add("Refer-To", f"<{self._uri}>")
        request.headers.add("Referred-By", f"<{self._dialog.local.uri}>")
        request.headers.add("Supported", "norefersub")
        return request

    def _answered(self, request: Request, response: Response) -> None:
        if response.status < 200:
            return
        if response.status >= 300:
            self._tell(response.status, final=True)
            return
        # "Refer-Sub: false" means that the peer does it and tells nothing of it (RFC 4488 section 4).
        silent = (response.headers.get("Refer-Sub") or "").partition(";")[0].strip().lower() == "false"
        self._tell(202, final=silent)

    def _failed(self, event: Event) -> None:
        self._tell(503 if event is Event.BROKEN else 408, final=True)

    def _tell(self, status: int, final: bool) -> None:
        if self.over:
            return
        if final:
            self.stop()
        self._emit(ReferProgress(status, final))
