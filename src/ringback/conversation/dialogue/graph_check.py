"""What is wrong with a graph is said before anybody is dialled."""

from __future__ import annotations

from collections.abc import Mapping

from ringback.agents.plan import GraphPlan
from ringback.agents.tools import Tool
from ringback.conversation.dialogue.dialogue import DialogueError


def check(graph: GraphPlan, tools: Mapping[str, Tool]) -> None:
    """Raises DialogueError for a graph that no call can follow."""
    if graph.start not in graph.nodes:
        raise DialogueError(f"the graph starts at node {graph.start!r}, which does not exist")
    for node in graph.nodes.values():
        if node.kind == "llm" and graph.chat is None:
            raise DialogueError(
                f"node {node.id!r} needs a language model, and the agent has none: name a provider, or make it static"
            )
        if node.function is not None and node.function not in tools:
            raise DialogueError(
                f"node {node.id!r} calls the function {node.function!r}, which the agent does not have: add it to"
                " api_tools"
            )
        for edge in node.edges:
            if edge.to_node_id not in graph.nodes:
                raise DialogueError(f"node {node.id!r} leads to {edge.to_node_id!r}, which does not exist")
