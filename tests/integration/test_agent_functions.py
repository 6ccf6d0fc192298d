"""A simple agent with functions, from its definition to both wires: the language model's and the user's server."""

from __future__ import annotations

from typing import Any

from ringback.agents.chat import Ask, ChatText, ToolCall
from ringback.agents.compile import compile_plan
from ringback.agents.definition import read
from ringback.agents.plan import ChatPlan, Plan
from ringback.agents.tools import HttpTool, ToolResult
from ringback.conversation.dialogue.chat import ChatDialogue
from ringback.conversation.dialogue.dialogue import ModelAnswer, Reply
from ringback.llm.openai_compatible import OpenAICompatible
from ringback.net.addresses import Allowed
from ringback.net.client import GuardedClient
from ringback.tools.http import HttpToolRunner
from tests.support import agent_definitions as bodies
from tests.support.agent_definitions import task
from tests.support.chat_server import Answer, call, chat_server, events, stream
from tests.support.http_server import HttpServer, Page, http_server

VARIABLES = {"to_number": "+41791234567", "agent_id": "a1"}
DAY = {
    "type": "object",
    "properties": {"day": {"type": "string"}, "guests": {"type": "integer"}},
    "required": ["day"],
}


def plan(server: HttpServer) -> Plan:
    body = bodies.simple()
    task(body)["tools_config"]["api_tools"] = {
        "tools": [
            {"name": "slots", "description": "Free times.", "parameters": DAY, "key": "custom_task"},
            {"name": "end_call"},
            {"name": "transfer_call_boss", "key": "transfer_call"},
        ],
        "tools_params": {
            "slots": {
                "url": f"{server.url}/slots/%(to_number)s",
                "method": "POST",
                "param": '{"day": "%(day)s", "guests": %(guests)i}',
                "api_token": "Bearer tok",
            },
            "transfer_call_boss": {"param": "{}"},
        },
    }
    return compile_plan("a1", read(body))


class Talk:
    """Follows the dialogue's replies to the end of a turn, as the core does."""

    def __init__(self, agent: Plan, chat: OpenAICompatible, runner: HttpToolRunner) -> None:
        assert isinstance(agent.dialogue, ChatPlan)
        self.dialogue = ChatDialogue(agent.dialogue, agent.tools, VARIABLES)
        self.results: list[ToolResult] = []
        self.ended = False
        self._agent = agent
        self._chat = chat
        self._runner = runner

    async def says(self, text: str) -> str:
        """What the agent answers."""
        return await self.goes_on(self.dialogue.answer(text))

    async def goes_on(self, reply: Reply) -> str:
        said: list[str] = []
        while reply.ask or reply.calls:
            if reply.ask:
                answer = await self._answer(reply.ask)
                said += [answer.text] if answer.text else []
                reply = self.dialogue.answered(answer)
            else:
                done = [(one, await self._run(one)) for one in reply.calls]
                reply = self.dialogue.results(done)
        self.ended = reply.ends
        self.dialogue.heard(" ".join(said))
        return " ".join(said)

    async def _answer(self, ask: Ask) -> ModelAnswer:
        pieces = [piece async for piece in self._chat.stream(ask)]
        text = "".join(piece.text for piece in pieces if isinstance(piece, ChatText))
        return ModelAnswer(text, tuple(piece for piece in pieces if isinstance(piece, ToolCall)))

    async def _run(self, call: ToolCall) -> ToolResult:
        tool = self._agent.tools[call.name]
        assert isinstance(tool, HttpTool)
        self.results.append(await self._runner.run(tool, call.arguments, VARIABLES))
        return self.results[-1]


def wants(name: str, arguments: str, *texts: str) -> Answer:
    deltas: list[dict[str, Any]] = [{"content": text} for text in texts]
    return Answer(stream(*deltas, call(0, "call_0", name, arguments), finish="tool_calls"))


async def test_a_call_with_functions() -> None:
    answers = [
        wants("slots", '{"day": "Monday", "guests": "4", "to_number": "+1"}', "Let me see."),
        Answer(events("At nine?")),
        wants("slots", '{"guests": 4}'),
        wants("slots", '{"day": "Friday", "guests": 4}'),
        Answer(events("Friday is full.")),
        Answer(events("I see that you have paid.")),
        wants("end_call", "{}", "Goodbye."),
    ]
    pages = [Page(b'{"free": ["9:00"]}'), Page(b"no such day", 404)]
    async with chat_server(*answers) as model, http_server(*pages) as server:
        chat = OpenAICompatible("openai", model.url, None)
        runner = HttpToolRunner(GuardedClient(Allowed(["127.0.0.1"])))
        talk = Talk(plan(server), chat, runner)
        [note] = talk.dialogue.opening().log
        assert "transfer_call_boss is not offered: its param has no call_transfer_number" in note.data
        talk.dialogue.heard("Welcome.")
        assert await talk.says("When on Monday?") == "Let me see. At nine?"
        assert await talk.says("And on Friday?") == "Friday is full."
        paid = talk.dialogue.inject("paid", {"amount": 5})
        assert paid is not None
        assert await talk.goes_on(paid) == "I see that you have paid."
        assert not talk.ended
        assert await talk.says("Bye.") == "Goodbye."
        assert talk.ended
        await runner.close()
        await chat.close()
    # The second call came without a day: the model was told, nothing was sent, and it corrected itself.
    assert [request.json for request in server.requests] == [
        {"day": "Monday", "guests": 4},
        {"day": "Friday", "guests": 4},
    ]
    assert {request.path for request in server.requests} == {"/slots/%2B41791234567"}
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer tok"}
    assert [result.failed for result in talk.results] == [False, True, True]
    assert [result.status for result in talk.results] == [200, None, 404]
    assert [tool["function"]["name"] for tool in model.requests[0]["tools"]] == ["slots", "end_call"]
    assert model.connections == server.connections == 1
    last = model.requests[-1]["messages"]
    assert [message["role"] for message in last] == [
        *("system", "assistant", "user"),
        *("assistant", "tool", "assistant", "user"),
        *("assistant", "tool", "assistant", "tool", "assistant", "user"),
        *("assistant", "user"),
    ]
    assert '"day" is missing' in last[8]["content"]
    assert last[10]["content"] == "The server answered HTTP 404: no such day"
    assert last[12]["content"] == '[Event paid: {"amount": 5}]'
