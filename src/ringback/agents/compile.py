"""From the definition that a client sent to the plan that a call follows."""

from __future__ import annotations

from dataclasses import replace

from ringback.agents import graph, plan
from ringback.agents.chat import ChatSettings
from ringback.agents.compile_graph import graph_plan
from ringback.agents.compile_tools import compile_tools
from ringback.agents.definition import (
    GRAPH_AGENTS,
    AgentConfig,
    Definition,
    GraphConfig,
    LlmConfig,
    NestedAgent,
    OtherAgent,
    ToolsConfig,
    Transcriber,
)
from ringback.agents.prompts import in_language
from ringback.agents.task_config import TaskConfig
from ringback.agents.validation import InvalidInput, Part, check


class CannotCompile(Exception):
    """The agent is well-formed but no call can follow it; the message says what is missing."""


def compile_plan(agent_id: str, definition: Definition, *, voice_id: str | None = None) -> plan.Plan:
    """The plan of a stored definition. `voice_id` is a call's own choice (`agent_data`) of voice.

    A provider without an adapter is compiled like any other: whoever needs the adapter refuses it by name.
    Raises CannotCompile when there is no conversation task, or its agent type is not one that we run.
    """
    try:
        config = check(AgentConfig, definition.config)
    except InvalidInput as error:  # stored by a version that allowed more
        raise CannotCompile(str(error)) from None
    number, task = next(
        ((n, task) for n, task in enumerate(config.tasks, 1) if task.task_type == "conversation"), (0, None)
    )
    if task is None or task.tools_config is None or task.task_config is None:
        raise CannotCompile("the agent has no conversation task, so there is nothing to call with")
    tools = task.tools_config
    assert tools.transcriber is not None
    language = tools.transcriber.language
    prompt = definition.prompts.get(f"task_{number}", {}).get("system_prompt") or ""
    functions, notes = compile_tools(tools.api_tools, language, config.webhook_url)
    dialogue = _dialogue(tools.llm_agent, prompt, language)
    return plan.Plan(
        agent_id=agent_id,
        name=config.agent_name,
        welcome_message=config.agent_welcome_message or "",
        transcriber=_transcriber(tools.transcriber),
        synthesizer=_synthesizer(tools, language, voice_id),
        dialogue=replace(dialogue, notes=(*dialogue.notes, *notes)),
        talk=_talk(task.task_config, tools.transcriber, language),
        tools=functions,
        telephony_provider=_telephony(tools),
    )


def _transcriber(transcriber: Transcriber) -> plan.SpeechPart:
    return plan.SpeechPart(
        provider=transcriber.provider,
        model=transcriber.model or "",
        language=transcriber.language,
        options=transcriber.model_dump(mode="json"),
    )


def _synthesizer(tools: ToolsConfig, language: str, voice_id: str | None) -> plan.SpeechPart:
    synthesizer = tools.synthesizer
    assert synthesizer is not None
    options = synthesizer.provider_config
    speed = options.get("speed")
    return plan.SpeechPart(
        provider=synthesizer.provider,
        model=str(options.get("model") or ""),
        language=str(options.get("language") or language),
        voice=str(voice_id or options.get("voice_id") or options.get("voice") or ""),
        speed=float(speed) if isinstance(speed, (int, float)) and speed > 0 else 1.0,
        options=options,
    )


def _telephony(tools: ToolsConfig) -> str:
    provider = tools.output.provider if tools.output else "default"
    return "sip-trunk" if provider == "default" else provider


def _talk(task: TaskConfig, transcriber: Transcriber, language: str) -> plan.TalkSettings:
    return plan.TalkSettings(
        hangup_after_silence_s=float(task.hangup_after_silence),
        incremental_delay_ms=task.incremental_delay,
        endpointing_ms=transcriber.endpointing or 0,
        number_of_words_for_interruption=task.number_of_words_for_interruption,
        call_terminate_s=float(task.call_terminate),
        welcome_message_delay_ms=task.welcome_message_delay,
        call_hangup_message=in_language(task.call_hangup_message, language) or None,
        interruption_backoff_period_ms=task.interruption_backoff_period,
        backchanneling=task.backchanneling,
        backchanneling_message_gap_s=float(task.backchanneling_message_gap),
        backchanneling_start_delay_s=float(task.backchanneling_start_delay),
        use_fillers=task.use_fillers,
        check_if_user_online=task.check_if_user_online,
        trigger_user_online_message_after_s=float(task.trigger_user_online_message_after),
        check_user_online_message=in_language(task.check_user_online_message, language),
        hangup_after_llm_call=task.hangup_after_LLMCall,
        call_cancellation_prompt=task.call_cancellation_prompt or None,
        ambient_noise_track=(task.ambient_noise_track or "office-ambience") if task.ambient_noise else None,
        dtmf_enabled=task.dtmf_enabled,
        dtmf_masked=task.dtmf_masked,
        voicemail=_voicemail(task, language) if task.voicemail else None,
    )


def _voicemail(task: TaskConfig, language: str) -> plan.VoicemailSettings:
    decide_s = task.voicemail_detection_time
    return plan.VoicemailSettings(
        message=in_language(task.voicemail_message, language),
        decide_s=float(decide_s) if decide_s else None,
        lasts_s=float(task.voicemail_detection_duration),
        check_interval_s=float(task.voicemail_check_interval),
        least_words=task.voicemail_min_transcript_length,
    )


def _dialogue(agent: Part | None, system_prompt: str, language: str) -> plan.GraphPlan | plan.ChatPlan:
    if isinstance(agent, OtherAgent | NestedAgent) and agent.agent_type not in _CALLABLE:
        raise CannotCompile(
            f'agents of type "{agent.agent_type}" cannot be called yet: use simple_llm_agent or graph_agent'
        )
    config = agent.llm_config if isinstance(agent, NestedAgent) else agent
    if isinstance(config, GraphConfig):
        return replace(graph_plan(config, language, chat_settings(config)), fallback=fallback_of(config))
    if isinstance(config, graph.Graph):
        return graph_plan(config, language, None)
    assert isinstance(config, LlmConfig)
    return plan.ChatPlan(
        provider=config.provider,
        chat=chat_settings(config),
        base_url=config.base_url,
        fallback=fallback_of(config),
        system_prompt=system_prompt,
    )


_CALLABLE = ("simple_llm_agent", "simple", *GRAPH_AGENTS)


def chat_settings(config: LlmConfig) -> ChatSettings:
    """How a language model is asked."""
    assert config.temperature is not None
    extra = {
        "presence_penalty": config.presence_penalty,
        "frequency_penalty": config.frequency_penalty,
        "reasoning_effort": config.reasoning_effort,
        "verbosity": config.verbosity,
        "stop": config.stop,
    }
    if config.base_url is not None or config.provider not in ("openai", "azure"):
        # OpenAI refuses them; stored definitions hold the defaults, so only others were asked for.
        extra |= {key: getattr(config, key) for key in ("min_p", "top_k") if not _is_default(config, key)}
    return ChatSettings(
        model=config.model,
        max_tokens=config.max_tokens,
        temperature=config.temperature,
        top_p=config.top_p,
        extra={key: value for key, value in extra.items() if value},
    )


def _is_default(config: LlmConfig, key: str) -> bool:
    return bool(getattr(config, key) == LlmConfig.model_fields[key].default)


def fallback_of(config: LlmConfig) -> plan.OtherModel | None:
    """Who is asked where it fails."""
    if config.fallback_model is None:
        return None
    return plan.OtherModel(
        config.fallback_provider or config.provider,
        config.fallback_model,
        config.fallback_base_url or config.base_url,
    )
