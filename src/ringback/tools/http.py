"""Functions that are requests to users' own servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from ringback.agents.templates import TemplateError
from ringback.agents.tools import HttpTool, ToolResult, TransferCall
from ringback.net.client import GuardedClient, OutboundError
from ringback.tools.arguments import WrongArguments, checked
from ringback.tools.request import request_of, webhook_of
from ringback.tools.result import MAX_BYTES, result_of

WEBHOOK_TIMEOUT_S: Final = 10.0
MAX_WEBHOOKS: Final = 200
"""Under way at once in a process; more are not sent."""
_MAX_WEBHOOK_ANSWER: Final = 4096

_log = logging.getLogger(__name__)


class HttpToolRunner:
    """Implements `agents.tools.ToolRunner`. One for all calls of a process."""

    def __init__(self, client: GuardedClient) -> None:
        self._client = client
        self._webhooks: set[asyncio.Task[None]] = set()

    async def run(
        self, tool: HttpTool, arguments: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> ToolResult:
        """Make the request, once. Failures are results, never raised."""
        try:
            given = checked(tool.spec.parameters, arguments)
            request = request_of(tool, given, variables)
            self.announce(tool, given, variables)
            answer = await self._client.request(
                request.method,
                request.url,
                headers=request.headers,
                body=request.body,
                timeout_s=tool.timeout_s,
                max_bytes=MAX_BYTES,
            )
        except (WrongArguments, OutboundError) as error:
            return ToolResult(str(error), failed=True)
        except TemplateError as error:
            return ToolResult(f"The function's param {error}.", failed=True)
        except Exception as error:
            _log.error("the function %s broke: %s", tool.spec.name, type(error).__name__)
            return ToolResult(f"The function failed: {type(error).__name__}.", failed=True)
        return result_of(answer)

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._webhooks:
            task.cancel()
        await asyncio.gather(*self._webhooks, return_exceptions=True)
        await self._client.close()

    def announce(
        self, tool: HttpTool | TransferCall, arguments: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> None:
        """Tell the webhook, which nobody waits for."""
        if not tool.webhook_url:
            return
        if len(self._webhooks) >= MAX_WEBHOOKS:
            _log.warning("too many webhooks are under way: that of %s is not sent", tool.spec.name)
            return
        task = asyncio.create_task(self._tell(tool, arguments, variables))
        self._webhooks.add(task)
        task.add_done_callback(self._webhooks.discard)

    async def _tell(
        self, tool: HttpTool | TransferCall, given: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> None:
        try:
            request = webhook_of(tool, given, variables)
            answer = await self._client.request(
                request.method,
                request.url,
                headers=request.headers,
                body=request.body,
                timeout_s=WEBHOOK_TIMEOUT_S,
                max_bytes=_MAX_WEBHOOK_ANSWER,
            )
            failure = None if answer.status < 300 else f"HTTP {answer.status}"
        except (OutboundError, TemplateError) as error:
            failure = str(error)
        except Exception as error:
            failure = type(error).__name__
        if failure:
            _log.warning("the webhook before %s failed: %s", tool.spec.name, failure)
