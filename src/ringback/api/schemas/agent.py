"""An agent as it is shown: the definition with its defaults, and what only we know (contract 7)."""

from __future__ import annotations

from typing import Literal

from ringback.agents.definition import AgentConfig, Prompt
from ringback.api.schemas.fields import Id, Timestamp


class Agent(AgentConfig):
    """A stored agent: all keys of `agent_config` as they were sent, with every default filled in."""

    id: Id
    agent_status: Literal["seeding", "processed"]
    created_at: Timestamp
    updated_at: Timestamp
    agent_prompts: dict[str, Prompt]
