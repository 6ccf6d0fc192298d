"""Webhook tasks: what was extracted, posted to a server of the user's (contract 7)."""

from __future__ import annotations

from typing import Any, Final

from ringback.aftercall.spoken import of_call
from ringback.aftercall.stage import FinishedCall, Outcome, StageError
from ringback.agents.templates import TemplateError
from ringback.agents.tools import HttpTool
from ringback.executions.record import ExecutionChanges
from ringback.net.client import GuardedClient, OutboundError
from ringback.tools.request import request_of

_MAX_ANSWER: Final = 4096
"""Bytes of the answer that are read; nobody looks at them."""


class WebhookStage:
    """Implements `Stage`. Until it is done the record says that nobody has taken what was extracted."""

    name = "webhook"
    tries = 3

    def __init__(self, client: GuardedClient) -> None:
        self._client = client

    async def run(self, call: FinishedCall) -> Outcome:
        """Raises StageError where a server does not take it. A server that is told again, by a worker that takes over,
        sees the same `webhook-id`."""
        if not call.plan.webhooks:
            return Outcome()
        data = call.execution.extracted_data
        if data is None:
            none = ExecutionChanges(extraction_webhook_status=False)
            return Outcome(execution_changes=none, note="nothing was extracted, so nobody is told")
        for place, webhook in enumerate(call.plan.webhooks):
            await self._tell(webhook, data, call, place)
        taken = ExecutionChanges(extraction_webhook_status=True)
        return Outcome(execution_changes=taken, note="taken by the server of the task")

    async def _tell(self, webhook: HttpTool, data: Any, call: FinishedCall, place: int) -> None:
        try:
            request = request_of(webhook, data, of_call(call).variables)
            answer = await self._client.request(
                request.method,
                request.url,
                headers={**request.headers, "webhook-id": _id(call, place)},
                body=request.body,
                timeout_s=webhook.timeout_s,
                max_bytes=_MAX_ANSWER,
            )
        except TemplateError as error:
            raise StageError(f"the param of the webhook task {error}") from None
        except OutboundError as error:
            raise StageError(str(error)) from None
        if not 200 <= answer.status < 300:
            redirect = ", a redirect, which is not followed" if 300 <= answer.status < 400 else ""
            raise StageError(f"the server of the webhook task answered HTTP {answer.status}{redirect}")


def _id(call: FinishedCall, place: int) -> str:
    return f"{call.execution.id}-{call.attempt.number}-{place}"
