"""The former name of the graph dialogue, until its users name the new one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from ringback.agents.plan import GraphPlan
from ringback.conversation.graph import GIVING_UP as GIVING_UP
from ringback.conversation.graph import GraphDialogue


class ScriptedDialogue(GraphDialogue):
    def __init__(self, graph: GraphPlan, variables: Mapping[str, Any], today: date) -> None:
        super().__init__(graph, {}, variables, today)
