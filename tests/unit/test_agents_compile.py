"""Definitions become plans."""

from __future__ import annotations

import pytest

from ringback.agents import plan
from ringback.agents.compile import CannotCompile, compile_plan
from ringback.agents.definition import read
from ringback.agents.validation import InvalidInput
from tests.support import agent_definitions as bodies
from tests.support.agent_definitions import task


def test_a_simple_agent() -> None:
    body = bodies.simple()
    task(body)["tools_config"]["llm_agent"]["llm_config"] |= {"base_url": "http://h/v1", "stop": ["#"]}
    compiled = compile_plan("a1", read(body))
    assert compiled.agent_id == "a1"
    assert compiled.welcome_message == "Hello {name}, this is Alfred."
    assert compiled.telephony_provider == "plivo"
    assert compiled.transcriber.provider == "deepgram"
    assert compiled.transcriber.model == "nova-3"
    assert (compiled.synthesizer.provider, compiled.synthesizer.voice) == ("elevenlabs", "V9")
    assert compiled.talk == plan.TalkSettings(hangup_after_silence_s=15.0)
    chat = compiled.dialogue
    assert isinstance(chat, plan.ChatPlan)
    assert chat.system_prompt == "You are Alfred. Today is {current_date}."
    assert chat.base_url == "http://h/v1"
    assert (chat.chat.model, chat.chat.temperature, chat.chat.max_tokens) == ("gpt-4.1-mini", 0.3, 100)
    assert chat.chat.extra == {"stop": ["#"]}


def test_voicemail_settings() -> None:
    body = bodies.simple()
    assert compile_plan("a1", read(body)).talk.voicemail is None
    settings = task(body)["task_config"]
    settings["voicemail"] = True
    assert compile_plan("a1", read(body)).talk.voicemail == plan.VoicemailSettings("", None, 30.0, 7.0, 7)
    settings |= {
        "voicemail_message": {"en": "Call us back.", "de": "Rufen Sie zurück."},
        "voicemail_detection_time": 2.5,
        "voicemail_detection_duration": 20,
        "voicemail_check_interval": 3,
        "voicemail_min_transcript_length": 5,
    }
    task(body)["tools_config"]["transcriber"]["language"] = "de"
    wanted = plan.VoicemailSettings("Rufen Sie zurück.", 2.5, 20.0, 3.0, 5)
    assert compile_plan("a1", read(body)).talk.voicemail == wanted


@pytest.mark.parametrize("nested", [True, False])
def test_a_scripted_graph_in_both_nestings(nested: bool) -> None:
    body = bodies.scripted(nested=nested)
    task(body)["tools_config"]["transcriber"]["language"] = "de"
    compiled = compile_plan("a1", read(body))
    assert compiled.telephony_provider == "sip-trunk"
    graph = compiled.dialogue
    assert isinstance(graph, plan.GraphPlan)
    assert (graph.provider, graph.start, graph.chat) == ("scripted", "confirm", None)
    assert graph.nodes["confirm"] == plan.Node(
        id="confirm",
        kind="static",
        message="Is the appointment on Monday still fine?",
        reprompt="Yes or no?",
        max_reprompts=1,
        edges=(
            plan.Edge("bye", plan.Affirmative(), 0, {"confirmed": True}),
            plan.Edge("day", plan.Negative(), 0, {"confirmed": None}),
            plan.Edge("bye", plan.Always(), 9, {}),
        ),
    )
    assert graph.nodes["day"].message == "Welcher Tag?"
    assert graph.nodes["bye"].edges == ()


def test_every_condition() -> None:
    body = bodies.scripted()
    written = [
        {"type": "keywords", "any": ["price", "how much"]},
        {"type": "pattern", "pattern": "order (\\d+)"},
        {"type": "number", "minimum": 1, "maximum": 9},
        {"type": "number", "digits": 6},
        {"type": "date"},
        {"type": "time"},
        {"type": "anything"},
    ]
    edges = [{"to_node_id": "bye", "condition_type": "match", "match": match} for match in written]
    edges.append(
        {
            "to_node_id": "bye",
            "condition_type": "expression",
            "expression": {"logic": "or", "conditions": [{"variable": "vip", "operator": "exists"}]},
        }
    )
    task(body)["tools_config"]["llm_agent"]["llm_config"]["nodes"][1]["edges"] = edges
    graph = compile_plan("a1", read(body)).dialogue
    assert isinstance(graph, plan.GraphPlan)
    assert [edge.condition for edge in graph.nodes["day"].edges] == [
        plan.Keywords(("price", "how much")),
        plan.Pattern("order (\\d+)"),
        plan.Number(1, 9),
        plan.Number(digits=6),
        plan.Date(),
        plan.Time(),
        plan.Anything(),
        plan.Expression("or", (plan.Comparison("vip", "exists"),)),
    ]


def test_the_v1_form_and_a_voice_for_one_call() -> None:
    compiled = compile_plan("a1", read(bodies.flat()), voice_id="Sam")
    assert isinstance(compiled.dialogue, plan.ChatPlan)
    assert compiled.dialogue.chat.max_tokens == 350
    assert compiled.synthesizer.voice == "Sam"


def test_providers_without_an_adapter_keep_their_name() -> None:
    body = bodies.simple()
    tools = task(body)["tools_config"]
    tools["transcriber"]["provider"] = "unheard-of"
    tools["llm_agent"]["llm_config"]["provider"] = "oracle-of-delphi"
    compiled = compile_plan("a1", read(body))
    assert compiled.transcriber.provider == "unheard-of"
    assert compiled.dialogue.provider == "oracle-of-delphi"


def test_a_definition_that_is_not_allowed_any_more() -> None:
    stored = read(bodies.simple())
    del stored.config["tasks"]
    with pytest.raises(CannotCompile, match="tasks is required"):
        compile_plan("a1", stored)


def test_what_no_call_can_follow() -> None:
    body = bodies.simple()
    task(body)["tools_config"]["llm_agent"] = {"agent_type": "multiagent"}
    with pytest.raises(CannotCompile, match='"multiagent"'):
        compile_plan("a1", read(body))
    task(body)["tools_config"]["llm_agent"] = {
        "agent_type": "knowledgebase_agent",
        "llm_config": {"vector_store": {"provider": "lancedb", "provider_config": {"vector_id": "1"}}},
    }
    with pytest.raises(CannotCompile, match='"knowledgebase_agent"'):
        compile_plan("a1", read(body))
    task(body)["task_type"] = "extraction"
    with pytest.raises(CannotCompile, match="no conversation task"):
        compile_plan("a1", read(body))


def _llm(**keys: object) -> plan.ChatPlan:
    body = bodies.simple()
    task(body)["tools_config"]["llm_agent"]["llm_config"] |= keys
    dialogue = compile_plan("a1", read(body)).dialogue
    assert isinstance(dialogue, plan.ChatPlan)
    return dialogue


def test_what_a_model_is_told_beside_its_name() -> None:
    chat = _llm(reasoning_effort="low", verbosity="high", presence_penalty=0.5, frequency_penalty=-1).chat
    assert chat.extra == {
        "reasoning_effort": "low",
        "verbosity": "high",
        "presence_penalty": 0.5,
        "frequency_penalty": -1,
    }


@pytest.mark.parametrize(
    ("keys", "sent"),
    [
        ({"min_p": 0.2, "top_k": 40}, {}),
        ({"min_p": 0.2, "top_k": 40, "base_url": "http://h/v1"}, {"min_p": 0.2, "top_k": 40}),
        ({"min_p": 0.2, "top_k": 0, "provider": "groq"}, {"min_p": 0.2}),
        ({"min_p": 0.1, "provider": "groq"}, {}),
    ],
)
def test_what_openai_refuses_is_sent_to_others_that_were_given_it(
    keys: dict[str, object], sent: dict[str, object]
) -> None:
    assert _llm(**keys).chat.extra == sent


def test_a_second_model() -> None:
    assert _llm().fallback is None
    assert _llm(fallback_model="small").fallback == plan.OtherModel("openai", "small")
    own = _llm(fallback_model="small", base_url="http://h/v1").fallback
    assert own == plan.OtherModel("openai", "small", "http://h/v1")
    elsewhere = _llm(
        fallback_model="small", fallback_provider="groq", fallback_base_url="http://g/v1"
    ).fallback
    assert elsewhere == plan.OtherModel("groq", "small", "http://g/v1")


def test_a_second_model_needs_a_name() -> None:
    with pytest.raises(InvalidInput, match=r"llm_config\.fallback_base_url needs a fallback_model"):
        _llm(fallback_base_url="http://g/v1")


def test_the_whole_task_config_reaches_the_plan() -> None:
    given = {
        "interruption_backoff_period": 150,
        "backchanneling": True,
        "backchanneling_message_gap": 4,
        "backchanneling_start_delay": 3,
        "use_fillers": True,
        "check_if_user_online": False,
        "trigger_user_online_message_after": 7,
        "check_user_online_message": {"en": "Still there?", "de": "Noch da?"},
        "hangup_after_LLMCall": True,
        "call_cancellation_prompt": "Is it over?",
        "ambient_noise": True,
        "ambient_noise_track": "coffee-shop",
    }
    body = bodies.simple()
    task(body)["task_config"] = given
    talk = compile_plan("a", read(body)).talk
    assert (talk.interruption_backoff_period_ms, talk.use_fillers, talk.backchanneling) == (150, True, True)
    assert (talk.backchanneling_message_gap_s, talk.backchanneling_start_delay_s) == (4.0, 3.0)
    assert (talk.check_if_user_online, talk.trigger_user_online_message_after_s) == (False, 7.0)
    assert talk.check_user_online_message == "Still there?"
    assert (talk.hangup_after_llm_call, talk.call_cancellation_prompt) == (True, "Is it over?")
    assert talk.ambient_noise_track == "coffee-shop"
