"""The functions that an agent may call while it talks (contract 7, `api_tools`), and what runs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from ringback.agents.chat import ToolSpec


@dataclass(frozen=True, slots=True)
class HttpTool:
    """A request to the user's own server. Strings may hold `%(name)s` of the call's arguments and variables."""

    spec: ToolSpec
    url: str
    method: Literal["GET", "POST"]
    param: Mapping[str, Any] | str | None = None
    """Query of a GET, JSON body of a POST: an object, or a JSON text, with `%(name)s` in its values
    (`agents/templates.py`). None: the arguments as they are."""
    headers: Mapping[str, str] = field(default_factory=dict)
    api_token: str = ""
    """The Authorization header, as it stands."""
    pre_call_message: str = ""
    """Said when the call begins."""
    webhook_url: str = ""
    """Told that the call begins; nobody waits for its answer. Empty: nobody is told."""
    webhook_param: Mapping[str, Any] | str | None = None
    timeout_s: float = 10.0
    nodes: frozenset[str] | None = None
    """Of a graph: where it may be called; None is everywhere."""


@dataclass(frozen=True, slots=True)
class EndCall:
    """Say goodbye and hang up."""

    spec: ToolSpec
    nodes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Hand the person over to somebody at another telephone. Strings may hold `%(name)s`, as in an `HttpTool`."""

    spec: ToolSpec
    to_number: str
    """E.164, or an extension that the trunk knows."""
    blind: bool = False
    """The network moves the call (SIP REFER); otherwise the other is called and joined to it."""
    pre_call_message: str = ""
    """Said before the person is handed over."""
    whisper: str = ""
    """Said to the one who takes the call, before the two are joined. Not of a blind one."""
    ring_timeout_s: float = 30.0
    webhook_url: str = ""
    webhook_param: Mapping[str, Any] | str | None = None
    """Both as of an `HttpTool`."""
    nodes: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class PressDigits:
    """Press keys for a machine at the other end: menus, extensions, codes."""

    spec: ToolSpec
    digits: str = "%(digits)s"
    """With `%(name)s`, as in an `HttpTool`: 0-9 * # A-D, and `w` for half a second's pause."""
    nodes: frozenset[str] | None = None


Tool = HttpTool | EndCall | TransferCall | PressDigits


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call."""

    content: str
    """What the language model is told: the answer's body, or in a sentence what went wrong."""
    failed: bool = False
    status: int | None = None
    """HTTP status; None where there was no answer."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """The body, where it is a JSON object: a graph's variables."""


class ToolRunner(Protocol):
    async def run(
        self, tool: HttpTool, arguments: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> ToolResult:
        """Make the request. Failures are results, never raised."""
        ...

    def announce(
        self, tool: HttpTool | TransferCall, arguments: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> None:
        """Tell the function's webhook that it is called; nobody waits for the answer, nothing is raised."""
        ...
