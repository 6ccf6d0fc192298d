"""The work after a call, wired: its stages in their order, and what an agent wants to know afterwards."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final

from ringback.aftercall.pipeline import NotYet, Pipeline
from ringback.aftercall.recording import RecordingStage
from ringback.aftercall.stage import Stage
from ringback.aftercall.telephone import TelephoneStage
from ringback.aftercall.transcript import TranscriptStage
from ringback.aftercall.transfer import TransferStage
from ringback.aftercall.webhook_task import WebhookStage
from ringback.agents.compile_followup import compile_follow_ups
from ringback.agents.followup import FollowUps
from ringback.agents.registry import Agents, UnknownAgent
from ringback.app.core import Core
from ringback.app.meaning import meaning_stages
from ringback.app.providers import Providers
from ringback.app.settings import Settings
from ringback.app.telemetry.measured import MeasuredStage
from ringback.app.telemetry.telemetry import Telemetry
from ringback.billing.prices import Prices
from ringback.calls.call import AfterCall, Attempted

logger = logging.getLogger(__name__)

_KEPT: Final = 256
"""Agents whose compiled follow-ups are kept."""


def after_call(
    core: Core, settings: Settings, providers: Providers, prices: Prices, owner: str, telemetry: Telemetry
) -> AfterCall:
    """For the worker `owner`."""
    stages: tuple[Stage, ...] = (
        RecordingStage(settings.recordings),
        TransferStage(settings.recordings),
        TranscriptStage(),
        *meaning_stages(core.db, core.clock, providers, prices, telemetry),
        TelephoneStage(prices),
        WebhookStage(providers.outbound),
    )
    measured = tuple(MeasuredStage(stage, telemetry) for stage in stages)
    pipeline = Pipeline(core.db, core.ledger, measured, CompiledFollowUps(core.agents).of)

    async def complete(claim: Attempted) -> None:
        try:
            await pipeline.complete(claim.account_id, claim.execution_id, claim.number, owner)
        except NotYet as reason:
            logger.warning("%s", reason)

    return complete


class CompiledFollowUps:
    """Compiled once for as long as the agent is not changed: checking a definition takes longer than all the rest."""

    def __init__(self, agents: Agents) -> None:
        self._agents = agents
        self._compiled: OrderedDict[tuple[str, str], tuple[int, FollowUps]] = OrderedDict()

    async def of(self, account_id: str, agent_id: str) -> FollowUps:
        """Implements `FollowUpsOf`."""
        try:
            agent = await self._agents.get(account_id, agent_id)
        except UnknownAgent:
            return FollowUps()
        key = account_id, agent_id
        version, found = self._compiled.get(key, (None, None))
        if found is None or version != agent.updated_at:
            found = compile_follow_ups(agent.definition)
            self._compiled[key] = agent.updated_at, found
        self._compiled.move_to_end(key)
        while len(self._compiled) > _KEPT:
            self._compiled.popitem(last=False)
        return found
