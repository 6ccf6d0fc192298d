"""The menus of a number, then the agent that was chosen: to the call they are one talk."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from ringback.agents.ivr_config import IvrConfig
from ringback.calls.call import CallRefused, LiveCall, Prepare, Talk, Talker
from ringback.calls.prelude import Prelude
from ringback.executions.record import Execution

logger = logging.getLogger(__name__)

Menus = Callable[[LiveCall, IvrConfig], Awaitable[Prelude]]
"""Play the menus on an answered leg. Failures choose the default agent."""

Chosen = Callable[[str | None, Mapping[str, Any]], Awaitable[Execution]]
"""Write into the record who takes the call (None: who it says already) and what was pressed, which is added to the
recipient data; gives the execution as it stands then. The agent's first word waits for it."""


class IvrTalker:
    """Implements `Talker`."""

    def __init__(
        self, config: IvrConfig, own: Talker, *, menus: Menus, chosen: Chosen, prepare: Prepare
    ) -> None:
        """`own`: the number's own agent, for whoever chooses none, or one that cannot talk."""
        self._config = config
        self._own = own
        self._menus = menus
        self._chosen = chosen
        self._prepare = prepare

    async def talk(self, call: LiveCall) -> Talk:
        prelude = await self._menus(call, self._config)
        try:
            if prelude.ended is not None:
                return Talk(prelude.ended, prelude.recorder.duration_ms, usage=prelude.usage)
            agent_id, talker = await self._talker(call.execution, prelude.agent_id)
            execution = await self._chosen(agent_id, prelude.recipient_data)
            return await talker.talk(replace(call, execution=execution, prelude=prelude))
        finally:
            prelude.leave()

    async def _talker(self, execution: Execution, agent_id: str | None) -> tuple[str | None, Talker]:
        if agent_id is None or agent_id == execution.agent_id:
            return None, self._own
        try:
            return agent_id, await self._prepare(replace(execution, agent_id=agent_id))
        except CallRefused as refusal:
            logger.warning("call %s: the menus chose agent %s: %s", execution.id, agent_id, refusal)
            return None, self._own
