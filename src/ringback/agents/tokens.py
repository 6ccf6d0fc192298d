"""Token counts where the server gave none: a reply that was cut short, or a server that does not count.

A quarter of the UTF-8 bytes, the rule of thumb for English; scripts with two or three bytes a letter also take more
tokens a letter. Marked as an estimate wherever it goes.
"""

from __future__ import annotations

import json
from typing import Final

from ringback.agents.chat import Ask, ChatUsage, ToolCall

_BYTES_PER_TOKEN: Final = 4
_PER_MESSAGE: Final = 4
"""What marks the role and the ends of a message."""


def estimated_usage(ask: Ask, *said: str | ToolCall, provider: str = "", model: str = "") -> ChatUsage:
    """What an ask costs that has brought these texts (reasoning too) and calls so far."""
    asked = _PER_MESSAGE * len(ask.messages)
    for message in ask.messages:
        asked += _tokens(message.content) + sum(map(_of_call, message.calls))
    asked += sum(_tokens(f"{t.name} {t.description} {json.dumps(dict(t.parameters))}") for t in ask.tools)
    answered = _tokens("".join(s for s in said if isinstance(s, str)))
    answered += sum(_of_call(s) for s in said if isinstance(s, ToolCall))
    return ChatUsage(asked, answered, provider, model, estimated=True)


def _of_call(call: ToolCall) -> int:
    return _tokens(call.name) + _tokens(json.dumps(dict(call.arguments), ensure_ascii=False))


def _tokens(text: str) -> int:
    return -(-len(text.encode(errors="replace")) // _BYTES_PER_TOKEN)
