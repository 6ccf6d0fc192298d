"""A stopwatch for one answer of the agent's: where the time went before it was heard."""

from __future__ import annotations

from ringback.conversation.transcript import TurnTiming


class TurnClock:
    """Times are the core's seconds. Until the answer is heard, it waits for a provider or we work."""

    def __init__(
        self, speech_ended: float, committed: float, transcriptions: tuple[tuple[int, str], ...] = ()
    ) -> None:
        self._speech_ended = speech_ended
        self._committed = committed
        self._transcriptions = transcriptions
        self._waited_s = 0.0
        self._waiting_since: float | None = None
        self._asked: float | None = None
        self._thought_s: float | None = None
        """Of the questions that were answered before; None without any."""
        self._spoke: float | None = None
        self._sounds: float | None = None
        """Since when there is audio."""
        self._heard: float | None = None
        self._first_token: int | None = None
        self._last_token: int | None = None
        self._first_audio: int | None = None
        self._tools_since: float | None = None
        self._tools: int | None = None

    def asked(self, now: float) -> None:
        """A question went to the language model. What is asked when something was heard already does not count,
        unless it is the first."""
        if self._heard is None or self._thought_s is None:
            self._asked = now
        self._wait(now)

    def token(self, now: float) -> None:
        if self._first_token is None and self._asked is not None:
            self._first_token = _ms((self._thought_s or 0.0) + now - self._asked)

    def replied(self, now: float) -> None:
        """The language model's answer is complete."""
        if self._asked is not None:
            self._thought_s = (self._thought_s or 0.0) + now - self._asked
            self._last_token = _ms(self._thought_s)
            self._asked = None
        if self._spoke is None:
            self._work(now)

    def spoke(self, now: float) -> None:
        """A sentence was given to the synthesizer."""
        if self._spoke is None:
            self._spoke = now
            self._wait(now)

    def audio(self, now: float) -> None:
        """Synthesized audio is there."""
        if self._first_audio is None and self._spoke is not None:
            self._first_audio = _ms(now - self._spoke)
            self._sounds = now
            self._work(now)

    def tools_began(self, now: float) -> None:
        self._tools_since = now
        if self._spoke is None:
            self._wait(now)

    def tools_done(self, now: float) -> None:
        if self._tools_since is not None:
            self._tools = max(self._tools or 0, _ms(now - self._tools_since))
            self._tools_since = None
        if self._spoke is None:
            self._work(now)

    def kept_back(self, since: float, until: float) -> None:
        """The voice waited in between, for it was not sure yet that the person had ended: a part of endpointing."""
        if self._sounds is not None and self._heard is None:
            self._committed += max(0.0, until - max(since, self._sounds))

    def heard(self, now: float) -> None:
        """The first frame went to the person."""
        if self._heard is None:
            self._heard = now
            self._work(now)

    def timing(self) -> TurnTiming | None:
        """None where nothing was heard."""
        if self._heard is None:
            return None
        total = self._heard - self._speech_ended
        endpointing = self._committed - self._speech_ended
        return TurnTiming(
            total_ms=_ms(total),
            endpointing_ms=_ms(endpointing),
            overhead_ms=_ms(max(0.0, total - endpointing - self._waited_s)),
            transcriptions=self._transcriptions,
            # An answer without words, a call or an edge of a graph, comes as a whole.
            first_token_ms=self._last_token if self._first_token is None else self._first_token,
            last_token_ms=self._last_token,
            first_audio_ms=self._first_audio,
            tools_ms=self._tools,
        )

    def _wait(self, now: float) -> None:
        self._work(now)
        if self._heard is None:
            self._waiting_since = now

    def _work(self, now: float) -> None:
        if self._waiting_since is not None:
            self._waited_s += now - self._waiting_since
            self._waiting_since = None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
