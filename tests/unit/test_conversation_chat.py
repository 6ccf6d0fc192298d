"""The dialogue of a simple agent, and whether strict servers would take what it sends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringback.agents.chat import Ask, ChatMessage, ChatSettings, ToolCall, ToolSpec
from ringback.agents.plan import ChatPlan
from ringback.agents.tools import EndCall, HttpTool, ToolResult
from ringback.conversation.dialogue.chat import INTERRUPTED, MAX_ROUNDS, ChatDialogue
from ringback.conversation.dialogue.dialogue import ModelAnswer, Reply
from ringback.llm.request import body_of
from tests.support.chat_rules import check_request

SCHEMA = {"type": "object", "properties": {}}
SLOTS = HttpTool(ToolSpec("slots", "Free times.", SCHEMA), "http://h/", "GET")
TOOLS = {"slots": SLOTS, "end_call": EndCall(ToolSpec("end_call", "End.", SCHEMA))}
CALL = ToolCall("c1", "slots", {"day": "Monday"})
BYE = ToolCall("c9", "end_call", {})


def dialogue(prompt: str = "Be brief.", notes: tuple[str, ...] = ()) -> ChatDialogue:
    return ChatDialogue(ChatPlan("x", ChatSettings("m"), None, prompt, notes=notes), TOOLS, {})


def asked(reply: Reply | None) -> tuple[ChatMessage, ...]:
    assert reply is not None
    assert reply.ask is not None
    _strict(reply.ask)
    return reply.ask.messages


def _strict(ask: Ask) -> None:
    assert check_request(body_of(ask)) == []


def user(text: str) -> ChatMessage:
    return ChatMessage("user", text)


def assistant(text: str, *calls: ToolCall) -> ChatMessage:
    return ChatMessage("assistant", text, calls)


def tool(text: str, call: ToolCall = CALL) -> ChatMessage:
    return ChatMessage("tool", text, call_id=call.id)


SYSTEM = ChatMessage("system", "Be brief.")


def test_functions_are_offered() -> None:
    reply = dialogue().answer("Hi.")
    assert reply.ask is not None
    assert [spec.name for spec in reply.ask.tools] == ["slots", "end_call"]


def test_a_round_of_functions() -> None:
    talk = dialogue()
    talk.heard("Welcome.")
    assert asked(talk.answer("When?")) == (SYSTEM, assistant("Welcome."), user("When?"))
    assert talk.answered(ModelAnswer("Let me see.", (CALL,))) == Reply(calls=(CALL,))
    messages = asked(talk.results([(CALL, ToolResult("At nine."))]))
    # While the turn lasts, the model sees that it has said something.
    assert messages[-2:] == (assistant("Let me see.", CALL), tool("At nine."))
    assert talk.answered(ModelAnswer("At nine.")) == Reply()
    talk.heard("Let me see. At nine.")
    # Then what was heard stands once, after the results.
    assert asked(talk.answer("Good."))[3:] == (
        assistant("", CALL),
        tool("At nine."),
        assistant("Let me see. At nine."),
        user("Good."),
    )


def test_what_was_not_heard_is_not_told() -> None:
    talk = dialogue()
    talk.answer("When?")
    talk.answered(ModelAnswer("Let me look that up for you.", (CALL,)))
    talk.results([(CALL, ToolResult("At nine."))])
    talk.answered(ModelAnswer("At nine."))
    talk.heard("Let me")
    assert asked(talk.answer("What?"))[2:] == (
        assistant("", CALL),
        tool("At nine."),
        assistant("Let me"),
        user("What?"),
    )


def test_a_function_that_nobody_waited_for() -> None:
    talk = dialogue()
    talk.answer("When?")
    talk.answered(ModelAnswer("", (CALL,)))
    talk.heard("One moment.")
    expected = (assistant("", CALL), tool(INTERRUPTED), assistant("One moment."), user("Never mind."))
    assert asked(talk.answer("Never mind."))[2:] == expected
    # A result that comes all the same changes nothing.
    assert talk.results([(CALL, ToolResult("At nine."))]) == Reply()
    talk.heard("")
    assert asked(talk.answer("Well?"))[2:-1] == expected[:-1]


def test_functions_side_by_side_are_answered_in_their_order() -> None:
    second = ToolCall("c2", "slots", {})
    talk = dialogue()
    talk.answer("When?")
    talk.answered(ModelAnswer("", (CALL, second)))
    results = [(CALL, ToolResult("At nine.")), (second, ToolResult("It failed.", failed=True))]
    assert asked(talk.results(results))[-2:] == (tool("At nine."), tool("It failed.", second))


def test_ids_that_a_server_uses_again() -> None:
    talk = dialogue()
    talk.answer("When?")
    for _ in range(3):
        reply = talk.answered(ModelAnswer("", (CALL, ToolCall("c2", "slots", {}))))
        asked(talk.results([(call, ToolResult("Yes.")) for call in reply.calls]))
    talk.heard("Yes.")
    asked(talk.answer("And?"))


def test_rounds_have_an_end() -> None:
    talk = dialogue()
    reply = talk.answer("When?")
    for _ in range(MAX_ROUNDS):
        assert reply.ask is not None
        assert reply.ask.tools
        calls = talk.answered(ModelAnswer("", (CALL,))).calls
        reply = talk.results([(call, ToolResult("No.")) for call in calls])
    assert reply.ask is not None
    assert reply.ask.tools == ()
    talk.heard("No.")
    again = talk.answer("And now?")
    assert again.ask is not None
    assert again.ask.tools


def test_goodbye() -> None:
    talk = dialogue()
    talk.answer("Bye.")
    assert talk.answered(ModelAnswer("Goodbye.", (BYE,))) == Reply(ends=True)
    talk.heard("Goodbye.")
    assert asked(talk.answer("Wait!"))[2:] == (assistant("Goodbye."), user("Wait!"))


def test_goodbye_waits_for_other_functions() -> None:
    talk = dialogue()
    talk.answer("Book it, bye.")
    assert talk.answered(ModelAnswer("", (BYE, CALL))) == Reply(calls=(CALL,))
    assert asked(talk.results([(CALL, ToolResult("Full."))]))[-2:] == (assistant("", CALL), tool("Full."))


def test_taken_back_as_if_it_had_not_been() -> None:
    talk = dialogue()
    talk.heard("Welcome.")
    talk.answer("Hi.")
    talk.heard("Hello.")
    mark = talk.mark()
    talk.answer("When?")
    talk.answered(ModelAnswer("Let me see.", (CALL,)))
    talk.results([(CALL, ToolResult("At nine."))])
    talk.rewind(mark)
    talk.heard("")
    assert asked(talk.answer("When on Monday?")) == (
        SYSTEM,
        assistant("Welcome."),
        user("Hi."),
        assistant("Hello."),
        user("When on Monday?"),
    )


def test_an_event_from_outside() -> None:
    talk = dialogue()
    talk.heard("Welcome.")
    event = '[Event paid: {"amount": 5}]'
    assert asked(talk.inject("paid", {"amount": 5})) == (SYSTEM, assistant("Welcome."), user(event))
    talk.heard("Thank you, it is paid.")
    assert asked(talk.answer("Yes."))[2:] == (user(event), assistant("Thank you, it is paid."), user("Yes."))


def test_who_speaks_on_does_so_in_one_message() -> None:
    talk = dialogue()
    talk.answer("Hm.")
    talk.heard("")
    assert asked(talk.answer("Hello?")) == (SYSTEM, user("Hm.\nHello?"))
    talk.heard("Yes?")
    talk.heard("Are you still there?")
    assert asked(talk.answer("Yes."))[2:] == (assistant("Yes?\nAre you still there?"), user("Yes."))


def test_notes_go_to_the_log() -> None:
    assert [entry.data for entry in dialogue(notes=("no transfer yet",)).opening().log] == ["no transfer yet"]


STEPS = st.lists(
    st.sampled_from(["answer", "call", "both", "text", "results", "heard", "nothing", "event", "back"])
)


@given(STEPS, st.sampled_from(["", "Be brief."]))
def test_whatever_happens_a_strict_server_would_take_it(steps: list[str], prompt: str) -> None:
    talk = dialogue(prompt)
    mark, pending, asks = talk.mark(), (), False
    for step in steps:
        reply: Reply | None = None
        match step:
            case "answer":
                mark, reply = talk.mark(), talk.answer("Hi.")
            case "call" if asks:
                reply = talk.answered(ModelAnswer("", (CALL,)))
            case "both" if asks:
                reply = talk.answered(ModelAnswer("Hm.", (CALL, ToolCall("c2", "slots", {}), BYE)))
            case "text" if asks:
                reply = talk.answered(ModelAnswer("Hm."))
            case "results":  # also too late, and again
                reply = talk.results([(call, ToolResult("")) for call in pending])
            case "heard" | "nothing":
                talk.heard("Hm." if step == "heard" else "")
                asks = False
            case "event":
                reply = talk.inject("paid", {})
            case "back":
                talk.rewind(mark)
                asks = False
        if reply is not None:
            asks, pending = reply.ask is not None, reply.calls or pending
            if reply.ask is not None:
                _strict(reply.ask)
