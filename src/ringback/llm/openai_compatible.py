"""Language models behind OpenAI's chat completions protocol: OpenAI, Azure, Groq, vLLM, Ollama, llama.cpp ..."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, cast

import openai
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

from ringback.agents.chat import Ask, ChatError, ChatMessage, ChatPiece, ChatSettings, ChatText, ChatUsage

FIRST_TOKEN_TIMEOUT_S: Final = 8.0
"""From the request to the first piece of text, the SDK's one retry included."""
TOTAL_TIMEOUT_S: Final = 45.0
_MAX_DETAIL: Final = 200


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
    ) -> None:
        """`base_url` None is OpenAI's own. Local servers take any key, also None."""
        self._provider = provider
        self._key = api_key or "none"
        self._first_token_timeout_s = first_token_timeout_s
        self._total_timeout_s = total_timeout_s
        self._client = openai.AsyncOpenAI(
            api_key=self._key, base_url=base_url, max_retries=1, timeout=total_timeout_s
        )
        self._asks_usage = True
        """Until the server refuses to know `stream_options`."""

    @property
    def provider(self) -> str:
        return self._provider

    async def stream(self, ask: Ask) -> AsyncIterator[ChatPiece]:
        """Stream the reply; see `ChatModel`. Raises ChatError."""
        messages, settings = ask.messages, ask.settings
        name = f"{self._provider} ({settings.model})"
        now = asyncio.get_running_loop().time
        total = now() + self._total_timeout_s
        deadline = now() + self._first_token_timeout_s
        usage: ChatUsage | None = None
        finished = False
        try:
            async with asyncio.timeout_at(deadline):
                chunks = await self._open(messages, settings)
            async with chunks:
                pieces = aiter(chunks)
                while True:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(pieces, None)
                    if chunk is None:
                        break
                    usage = _usage(chunk) or usage
                    finished = finished or any(choice.finish_reason for choice in chunk.choices)
                    text = _text(chunk)
                    if text:
                        deadline = total
                        yield ChatText(text)
        except TimeoutError:
            late = "did not finish its reply" if deadline == total else "did not begin to reply"
            seconds = self._total_timeout_s if deadline == total else self._first_token_timeout_s
            raise ChatError(f"The language model {name} {late} within {seconds:g} s.") from None
        except openai.APIError as error:
            raise ChatError(f"The language model {name} {self._reason(error)}") from None
        except (OSError, ValueError) as error:
            raise ChatError(
                f"The language model {name} sent what cannot be read: {type(error).__name__}."
            ) from None
        if not finished:
            raise ChatError(f"The language model {name} broke off in the middle of its reply.")
        if usage is not None:
            yield usage

    async def close(self) -> None:
        """Give the connections back."""
        await self._client.close()

    async def _open(
        self, messages: Sequence[ChatMessage], settings: ChatSettings
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        try:
            return await self._create(messages, settings)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            if not self._asks_usage or "stream_options" not in str(error):
                raise
            self._asks_usage = False
            return await self._create(messages, settings)

    async def _create(
        self, messages: Sequence[ChatMessage], settings: ChatSettings
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        body: dict[str, Any] = {
            "max_tokens": settings.max_tokens,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            **settings.extra,
        }
        if "max_completion_tokens" in body:
            del body["max_tokens"]
        if self._asks_usage:
            body["stream_options"] = {"include_usage": True}
        dialogue = [{"role": message.role, "content": message.content} for message in messages]
        return await self._client.chat.completions.create(
            model=settings.model,
            messages=cast(list[ChatCompletionMessageParam], dialogue),
            stream=True,
            extra_body=body,
        )

    def _reason(self, error: openai.APIError) -> str:
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"refused the API key (HTTP {error.status_code}): check the key of this provider."
            case openai.RateLimitError():
                return "refused the request for its rate limit or quota (HTTP 429)."
            case openai.APIStatusError():
                return f"answered HTTP {error.status_code}: {self._detail(error)}"
            case openai.APITimeoutError():
                return "did not answer in time."
            case openai.APIConnectionError():
                return "cannot be reached, or broke the connection."
            case _:
                return f"failed: {self._detail(error)}"

    def _detail(self, error: openai.APIError) -> str:
        """The server's own words, on one line, without the key."""
        detail = " ".join(error.message.replace(self._key, "***").split())
        return detail if len(detail) <= _MAX_DETAIL else detail[:_MAX_DETAIL] + "..."


def _text(chunk: ChatCompletionChunk) -> str:
    return "".join(choice.delta.content or "" for choice in chunk.choices if choice.delta)


def _usage(chunk: ChatCompletionChunk) -> ChatUsage | None:
    usage = chunk.usage
    return None if usage is None else ChatUsage(usage.prompt_tokens, usage.completion_tokens)
