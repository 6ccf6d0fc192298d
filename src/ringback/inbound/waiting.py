"""A caller who waits until somebody has time: a message again and again, then the agent; to the call it is one talk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from ringback.calls.call import LiveCall, Talk, Talker
from ringback.calls.prelude import Prelude
from ringback.clock import Clock
from ringback.media.leg import Ended, HangupCause, Leg


class WaitingTalker:
    """Implements `Talker`."""

    def __init__(
        self,
        own: Talker,
        *,
        message: Callable[[LiveCall], Awaitable[Prelude]],
        has_turn: Callable[[], bool],
        clock: Clock,
        longest_s: float,
    ) -> None:
        """`message`: say it, and be silent for a moment. `has_turn` is asked after each; after `longest_s` the caller
        is hung up."""
        self._own = own
        self._message = message
        self._has_turn = has_turn
        self._clock = clock
        self._until_s = clock.monotonic() + longest_s
        self._longest_s = longest_s

    async def talk(self, call: LiveCall) -> Talk:
        while True:
            prelude = await self._message(call)
            call = replace(call, prelude=prelude)
            try:
                if prelude.ended is not None:
                    return Talk(prelude.ended, prelude.recorder.duration_ms, usage=prelude.usage)
                if self._has_turn():
                    return await self._own.talk(call)
                if self._clock.monotonic() > self._until_s:
                    return await self._sent_away(call.leg, prelude)
            except BaseException:
                prelude.leave()
                raise

    async def _sent_away(self, leg: Leg, prelude: Prelude) -> Talk:
        await leg.hangup(HangupCause.NORMAL)
        while not isinstance(event := await leg.next_event(), Ended):
            pass
        prelude.leave()
        await prelude.recorder.close()
        why = f"Nobody had time for the caller within {self._longest_s:g} s"
        return Talk(event, prelude.recorder.duration_ms, usage=prelude.usage, error=why)
