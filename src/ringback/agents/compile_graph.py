"""The graph of a definition, compiled to a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ringback.agents import graph, plan
from ringback.agents.chat import ChatSettings
from ringback.agents.definition import GraphConfig
from ringback.agents.prompts import in_language
from ringback.agents.validation import Part

DETERMINISTIC: Final = 0
BY_MODEL: Final = 100
"""Priorities of edges that name none (contract 7)."""
ROUTING_TOKENS: Final = 250


def graph_plan(config: graph.Graph, language: str, chat: ChatSettings | None) -> plan.GraphPlan:
    """`chat` is None for a graph that needs no language model."""
    model = config if isinstance(config, GraphConfig) else None
    return plan.GraphPlan(
        provider=model.provider if model else "scripted",
        start=config.current_node_id,
        nodes={node.id: _node(node, language) for node in config.nodes},
        information=config.agent_information or "",
        chat=chat,
        base_url=model.base_url if model else None,
        language=language,
        routing=_routing(model, chat) if model and chat else None,
        routing_instructions=(model.routing_instructions or "") if model else "",
        context=config.context_data or {},
        variable_types=config.variable_types or {},
        notes=tuple(_notes(config)),
    )


def _routing(config: GraphConfig, chat: ChatSettings) -> ChatSettings:
    """Routing goes to the agent's own endpoint, so a model of another provider cannot be asked there."""
    model = config.routing_model if config.routing_model and not _elsewhere(config) else chat.model
    effort = config.routing_reasoning_effort
    return ChatSettings(
        model=model,
        max_tokens=config.routing_max_tokens or ROUTING_TOKENS,
        temperature=1.0 if model.startswith("gpt-5") else 0.0,
        top_p=chat.top_p,
        extra={"reasoning_effort": effort} if effort else {},
    )


def _elsewhere(config: GraphConfig) -> bool:
    return config.routing_provider is not None and config.routing_provider != config.provider


def _notes(config: graph.Graph) -> Iterator[str]:
    if config.rag_config or any(node.rag_config for node in config.nodes):
        yield "rag_config is ignored: there is no knowledge base yet"
    if isinstance(config, GraphConfig) and _elsewhere(config):
        yield (
            f"routing_provider {config.routing_provider!r} is ignored: routing asks {config.model!r} at the agent's"
            f" own provider {config.provider!r}"
        )


def _node(node: graph.Node, language: str) -> plan.Node:
    taken: set[str] = {plan.STAY}
    taken.update(edge.function_name for edge in node.edges if edge.function_name)
    return plan.Node(
        id=node.id,
        kind=node.node_type,
        message=in_language(node.static_message, language),
        reprompt=in_language(node.reprompt_message, language),
        max_reprompts=node.max_reprompts,
        prompt=(node.prompt or node.description or ""),
        edges=tuple(_edge(edge, taken) for edge in node.edges),
        examples=_examples(node.examples, language),
        function=node.function_call,
        repeat_after_s=node.repeat_after_silence_seconds,
    )


def _examples(examples: Any, language: str) -> tuple[str, ...]:
    """The vendor documents sentences by language; lists and single sentences are in use too."""
    if isinstance(examples, Mapping):
        examples = next(
            (examples[code] for code in (language, language.split("-")[0], "en") if code in examples),
            list(examples.values()),
        )
    if isinstance(examples, str):
        return (examples,)
    return tuple(str(example) for example in examples) if isinstance(examples, list) else ()


def _edge(edge: graph.Edge, taken: set[str]) -> plan.Edge:
    slots = dict(edge.slots or {})
    if edge.slot:
        slots[edge.slot] = None
    usual = BY_MODEL if edge.condition_type == "llm" else DETERMINISTIC
    priority = usual if edge.priority is None else edge.priority
    return plan.Edge(edge.to_node_id, _condition(edge, taken), priority, slots)


def _condition(edge: graph.Edge, taken: set[str]) -> plan.Condition:
    match edge.condition_type:
        case "unconditional":
            return plan.Always()
        case "event":
            assert edge.event_name is not None
            return plan.Event(edge.event_name)
        case "expression":
            assert edge.expression is not None
            lines = [plan.Comparison(c.variable, c.operator, c.value) for c in edge.expression.conditions]
            return plan.Expression(edge.expression.logic, tuple(lines))
        case "match":
            return _match(edge.match)
        case "llm":
            return plan.Llm(
                edge.condition or "",
                edge.function_name or _function_name(edge.to_node_id, taken),
                edge.function_description or "",
                {name: _schema(kind) for name, kind in (edge.parameters or {}).items()},
            )


def _function_name(node: str, taken: set[str]) -> str:
    """A name that models take: ASCII, at most 64 characters, once in a node."""
    base = "transition_to_" + "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in node)
    name, number = base[:64], 2
    while name in taken:
        name, number = f"{base[:60]}_{number}", number + 1
    taken.add(name)
    return name


_TYPES: Final = {
    "string": "string",
    "str": "string",
    "text": "string",
    "number": "number",
    "float": "number",
    "integer": "integer",
    "int": "integer",
    "boolean": "boolean",
    "bool": "boolean",
}


def _schema(kind: Any) -> Mapping[str, Any]:
    """ "number" and the like as JSON schema; whatever else a client writes tells the model what is meant."""
    if isinstance(kind, Mapping):
        return kind
    known = _TYPES.get(str(kind).lower())
    return {"type": known} if known else {"type": "string", "description": str(kind)}


def _match(match: Part | None) -> plan.Heard:
    match match:
        case graph.KeywordsMatch(any=words):
            return plan.Keywords(tuple(words))
        case graph.PatternMatch(pattern=regex):
            return plan.Pattern(regex)
        case graph.NumberMatch(minimum=low, maximum=high, digits=digits):
            return plan.Number(low, high, digits)
        case graph.PlainMatch(type=kind):
            return _PLAIN[kind]
    raise AssertionError(f"a match that the definition does not allow: {match!r}")


_PLAIN: Final[Mapping[str, plan.Heard]] = {
    "date": plan.Date(),
    "time": plan.Time(),
    "yes": plan.Affirmative(),
    "no": plan.Negative(),
    "anything": plan.Anything(),
}
