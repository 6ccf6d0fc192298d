"""Language models behind OpenAI's chat completions protocol: OpenAI, Azure, Groq, vLLM, Ollama, llama.cpp ..."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, Final

import anyio
import httpx2
import openai
from openai.resources.chat.completions import (
    AsyncCompletions,  # by itself the SDK loads it at the first request
)

from ringback.agents.chat import (
    Ask,
    ChatError,
    ChatPiece,
    ChatUnavailable,
    ChatUsage,
)
from ringback.agents.tokens import estimated_usage
from ringback.llm.answer import AnswerReader, BrokenCall, ServerError
from ringback.llm.event_stream import data_of
from ringback.llm.request import Form, body_of

FIRST_TOKEN_TIMEOUT_S: Final = 8.0
"""From the question to the first piece of the answer, the one retry included."""
TOTAL_TIMEOUT_S: Final = 45.0
RETRY_WAIT_S: Final = 0.25
"""Before the retry of a request that the server refused, unless it says how long."""
_KEEP_ALIVE_S: Final = 120.0
"""Turns of a call are further apart than the 5 s after which the SDK would close an idle connection."""
_CONNECT_TIMEOUT_S: Final = 5.0
_DRAIN_S: Final = 0.25
"""For what follows the last event, which is nothing: only then can the connection be used again."""
_MAX_DETAIL: Final = 200
_REFUSES_FORM: Final = re.compile(r"response.?format|json|schema|grammar", re.IGNORECASE)
"""What a refusal speaks of that is about the form of the answer."""
_BROKEN: Final = (httpx2.HTTPError, OSError, anyio.EndOfStream)
_NO_CONNECTION: Final = "cannot be reached, or broke the connection."


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Until when (loop time) one attempt has to give its first piece, and its last."""

    first_piece: float
    end: float


class _Failed(Exception):
    """An attempt failed; the text is a clause that follows the name of the model."""

    def __init__(self, why: str, *, again: bool = False, after_s: float = 0.0, busy: bool = False) -> None:
        super().__init__(why)
        self.again = again
        """Another attempt may do better, after so many seconds."""
        self.after_s = after_s
        self.busy = busy
        """Nothing is wrong with the question: the server is not there, too slow, or has too much to do."""


class OpenAICompatible:
    """Implements `agents.chat.ChatModel`. One object serves all calls of a process and reuses connections."""

    def __init__(
        self,
        provider: str,
        base_url: str | None,
        api_key: str | None,
        *,
        first_token_timeout_s: float = FIRST_TOKEN_TIMEOUT_S,
        total_timeout_s: float = TOTAL_TIMEOUT_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`base_url` None is OpenAI's own. Local servers take any key, also None.

        `tls` is what many clients share: to read the authorities takes 50 ms, in which no audio goes out.
        """
        self._provider = provider
        self._key = api_key or "none"
        self._first_token_timeout_s = first_token_timeout_s
        self._total_timeout_s = total_timeout_s
        self._client = openai.AsyncOpenAI(
            api_key=self._key,
            base_url=base_url,
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                verify=tls or httpx2.create_ssl_context(),
                timeout=httpx2.Timeout(total_timeout_s, connect=_CONNECT_TIMEOUT_S),
                limits=httpx2.Limits(
                    max_connections=1000, max_keepalive_connections=100, keepalive_expiry=_KEEP_ALIVE_S
                ),
            ),
        )
        self._completions = AsyncCompletions(self._client).with_streaming_response
        self._asks_usage = True
        """Until the server refuses to know `stream_options`."""

    @property
    def provider(self) -> str:
        return self._provider

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        """Stream the answer; see `ChatModel`. What fails before its first piece is asked once more.

        Raises ChatError; ChatUnavailable where the server is not there, too slow or has too much to do.
        """
        now = asyncio.get_running_loop().time
        times = _Attempt(now() + self._first_token_timeout_s, now() + self._total_timeout_s)
        for last in (False, True):
            given = False
            try:
                async with aclosing(self._attempt(ask, times)) as pieces:
                    async for piece in pieces:
                        given = True
                        yield piece
                return
            except _Failed as failure:
                in_time = now() + failure.after_s < times.first_piece
                if last or given or not failure.again or not in_time:
                    kind = ChatUnavailable if failure.busy else ChatError
                    name = f"{self._provider} ({ask.settings.model})"
                    raise kind(f"The language model {name} {failure}") from None
                await asyncio.sleep(failure.after_s)

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()

    async def _attempt(self, ask: Ask, times: _Attempt) -> AsyncGenerator[ChatPiece]:
        """One request. Raises _Failed."""
        reader = AnswerReader()
        said: list[str] = []
        deadline = times.first_piece
        try:
            async with AsyncExitStack() as stack:
                async with asyncio.timeout_at(deadline):
                    source = await self._open(ask, stack)
                events = await stack.enter_async_context(aclosing(data_of(source)))
                while True:
                    async with asyncio.timeout_at(deadline):
                        event = await anext(events, None)
                    if event is None:
                        break
                    for piece in reader.read(event):
                        said.append(piece.text)
                        yield piece
                    if said or reader.begun:
                        deadline = times.end
                await _read_to_the_end(source)
        except TimeoutError:
            raise self._late(deadline == times.end) from None
        except openai.APIError as error:
            raise self._failure(error) from None
        except ServerError as error:
            raise _Failed(f"failed: {self._clean(str(error))}", again=True, busy=True) from None
        except _BROKEN:
            raise _Failed(_NO_CONNECTION, again=True, busy=True) from None
        except ValueError as error:
            raise _Failed(f"sent what cannot be read: {type(error).__name__}.", again=True) from None
        for last in self._ending(ask, reader, said):
            yield last

    def _ending(self, ask: Ask, reader: AnswerReader, said: list[str]) -> list[ChatPiece]:
        """The calls and the usage of an answer that is complete. Raises _Failed for one that is not."""
        if reader.finish_reason is None:
            raise _Failed("broke off in the middle of its reply.", again=True, busy=True)
        at_limit = reader.finish_reason == "length"
        limit = f"reached its limit of {ask.settings.max_tokens} tokens (max_tokens)"
        try:
            calls = reader.calls()
        except BrokenCall as error:
            why = f"{limit} within the arguments of a function." if at_limit else f"{error}."
            raise _Failed(why, again=not at_limit) from None
        if not reader.spoke and not calls:
            if at_limit:
                raise _Failed(f"{limit} before it said anything.")
            if reader.finish_reason == "content_filter":
                raise _Failed("withheld its reply (content filter).")
        if reader.tokens is None:
            usage = estimated_usage(ask, *said, *calls, provider=self._provider, model=ask.settings.model)
        else:
            usage = ChatUsage(*reader.tokens, self._provider, ask.settings.model)
        return [*calls, usage]

    async def _open(self, ask: Ask, stack: AsyncExitStack) -> AsyncIterator[bytes]:
        """The body of the answer. What the server refuses to know of the question is left out."""
        forms: list[Form] = ["json_object", "text"] if ask.schema is not None else []
        form: Form = "json_schema"
        while True:
            try:
                return await self._send(ask, form, stack)
            except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                if self._asks_usage and "stream_options" in str(error):
                    self._asks_usage = False
                elif forms and _REFUSES_FORM.search(str(error)):
                    form = forms.pop(0)
                else:
                    raise

    async def _send(self, ask: Ask, form: Form, stack: AsyncExitStack) -> AsyncIterator[bytes]:
        """The body of the answer, which the stack gives back."""
        body: dict[str, Any] = body_of(ask, form)
        if self._asks_usage:
            body["stream_options"] = {"include_usage": True}
        answer = await stack.enter_async_context(
            self._completions.create(
                model=body.pop("model"), messages=body.pop("messages"), stream=True, extra_body=body
            )
        )
        source = answer.iter_bytes()
        return await stack.enter_async_context(aclosing(source))  # type: ignore[type-var]

    def _late(self, begun: bool) -> _Failed:
        late = "did not finish its reply" if begun else "did not begin to reply"
        seconds = self._total_timeout_s if begun else self._first_token_timeout_s
        return _Failed(f"{late} within {seconds:g} s.", busy=True)

    def _failure(self, error: openai.APIError) -> _Failed:
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return _Failed(
                    f"refused the API key (HTTP {error.status_code}): check the key of this provider."
                )
            case openai.APIStatusError():
                busy = error.status_code in (408, 409, 429) or error.status_code >= 500
                wait_s = _retry_after_s(error) if busy else 0.0
                return _Failed(self._refusal(error), again=busy, after_s=wait_s, busy=busy)
            case openai.APITimeoutError():
                return _Failed("did not answer in time.", again=True, busy=True)
            case openai.APIConnectionError():
                return _Failed(_NO_CONNECTION, again=True, busy=True)
            case _:
                return _Failed(f"failed: {self._clean(error.message)}", again=True, busy=True)

    def _refusal(self, error: openai.APIStatusError) -> str:
        if error.status_code == 429:
            return "refused the request for its rate limit or quota (HTTP 429)."
        words = self._clean(error.message).removeprefix(f"Error code: {error.status_code} - ")
        return f"answered HTTP {error.status_code}: {words}"

    def _clean(self, message: str) -> str:
        """The server's own words, on one line, without the key."""
        detail = " ".join(message.replace(self._key, "***").split())
        return detail if len(detail) <= _MAX_DETAIL else detail[:_MAX_DETAIL] + "..."


async def _read_to_the_end(source: AsyncIterator[bytes]) -> None:
    try:
        async with asyncio.timeout(_DRAIN_S):
            async for _ in source:
                pass
    except (TimeoutError, *_BROKEN):
        pass


def _retry_after_s(error: openai.APIStatusError) -> float:
    """Seconds; a date (RFC 9110 section 10.2.3) is further away than a caller can wait."""
    given = error.response.headers.get("retry-after")
    if given is None:
        return RETRY_WAIT_S
    try:
        return max(0.0, float(given))
    except ValueError:
        return float("inf")
