"""Who took the call, from its first seconds: cadence, words and tones. Without I/O; times are monotonic seconds.

People say a word or two and wait; machines go on. Words decide as soon as they can; a short greeting with silence after
it is a person's; tones decide alone. When the time is up the leaning counts, and without one it is a person: nobody is
taken for a machine for want of evidence.
"""

from __future__ import annotations

from typing import Final

from ringback.agents.plan import VoicemailSettings
from ringback.conversation.screening.phrases import DECIDES, Weighed, greets, weigh
from ringback.conversation.screening.verdict import Kind, Verdict
from ringback.media.tones import Tone, ToneKind

DECIDE_S: Final = 3.85
"""After the first sound, or the answer where nothing is heard, what is known by then decides."""
FIRST_LOOK_S: Final = 1.3
"""Whoever speaks for so long without a pause is listened to in the middle of it."""
LOOK_S: Final = 0.77
"""And again so long after each look."""
LAST_LOOK_S: Final = 0.25
"""So long before the time is up there is a last one, whose words are known by then."""
WAITS_S: Final = 1.4
"""Who falls silent for so long waits for an answer: a person."""
_PATIENT_S: Final = 1.8
"""The same after words that are not merely a greeting."""
_UNHEARD_S: Final = 0.6
"""When no words were heard, they began so long before at the earliest."""
_SOON_S: Final = 10.0
"""So long after the first sound, a guess is looked at again soon."""
_LEANS: Final = 1.5
"""Words must weigh so much for a guess when the time is up."""
_LEANS_WAITING: Final = 2.0
"""The same of somebody who waits for an answer."""
_HEARS_S: Final = 0.2
"""When the time is up, words that are on their way are awaited for so long."""
_CHANGES_MIND: Final = 5.0
"""Words must weigh so much to make a machine of what was thought a person: two phrases at least."""
_LONG_S: Final = 1.0
"""A beep after so much speech follows a greeting."""
_FEW_WORDS: Final = 6
BEEPS_HZ: Final = 600
"""A lower tone may be a vowel: it needs words that lean to a machine."""


class Screening:
    """One call's. Tell it what is heard; `verdict` is what is thought of it, and may change; see `again`."""

    def __init__(self, language: str, settings: VoicemailSettings) -> None:
        self._language = language
        self._settings = settings
        self._answered = 0.0
        self._first: float | None = None
        """When the first sound was heard."""
        self._began: float | None = None
        self._stopped: float | None = None
        """End of the last speech; None while somebody speaks."""
        self._spoken_s = 0.0
        """Of what is over."""
        self._texts: dict[float, str] = {}
        """What was said, by when it began."""
        self._looked = 0.0
        self._awaits_words = False
        self.verdict: Verdict | None = None

    @property
    def again(self) -> float | None:
        """When `judge` is due even if nothing happens; None once there is a verdict."""
        if self.verdict is not None:
            return None
        first = self._answered if self._first is None else self._first
        due = first + (self._settings.decide_s or DECIDE_S)
        due += _HEARS_S if self._awaits_words and self._looked < due else 0.0
        if self._stopped is not None and (self._text or self._awaits_words):
            due = min(due, self._stopped + (WAITS_S if self._greets else _PATIENT_S))
        return due

    @property
    def look(self) -> float | None:
        """When the words of whoever speaks are wanted, if they go on speaking."""
        if self._began is None or self._stopped is not None or self.sure:
            return None
        if self.verdict is not None:
            soon = self._looked - (self._first or 0.0) < _SOON_S
            return max(self._began, self._looked) + (
                2 * LOOK_S if soon else self._settings.check_interval_s + LOOK_S
            )
        if self._looked < self._began:
            due = self._began + (FIRST_LOOK_S if self._began == self._first else LOOK_S)
        else:
            due = self._looked + LOOK_S
        last = (self.again or due) - LAST_LOOK_S
        return last if max(self._looked, self._began) + LAST_LOOK_S < last < due else due

    @property
    def sure(self) -> bool:
        """Only what is transcribed anyway may change the verdict."""
        return (
            self.verdict is not None
            and self.verdict.kind is not Kind.SILENCE
            and self.verdict.confidence >= 0.7
        )

    @property
    def ends(self) -> float:
        """From then on a verdict stands."""
        return self._answered + self._settings.lasts_s

    @property
    def _kind(self) -> Kind | None:
        return self.verdict.kind if self.verdict else None

    @property
    def _greets(self) -> bool:
        return not self._text or greets(self._text)

    @property
    def _text(self) -> str:
        return " ".join(self._texts[began] for began in sorted(self._texts)).strip()

    def answered(self, now: float) -> None:
        self._answered = now

    def speech_started(self, at: float) -> None:
        self._began, self._stopped = at, None
        if self._first is None:
            self._first = at

    def speech_stopped(self, at: float) -> None:
        if self._began is not None and self._stopped is None:
            self._stopped = at
            self._spoken_s += at - self._began
            self._awaits_words = True

    def looked(self, now: float) -> None:
        """The words were asked for."""
        self._looked = now
        self._awaits_words = True

    def heard(self, since: float, text: str, now: float) -> None:
        """What was said since then, in words."""
        self._awaits_words = False
        if now > self.ends:
            return
        if self.sure or since > (since if self._first is None else self._first) + _SOON_S:
            self._weigh_again(text)
        else:
            self._texts[since] = text.strip()
            if not self._text:
                self._noise(now)
            self._weigh(weigh(self._text, self._language))

    def _noise(self, now: float) -> None:
        """There were no words in the sounds so far: the time begins anew, with the next ones."""
        if self._stopped is not None:
            self._first = None
        elif self._first is not None:
            self._first = max(self._first, self._began or 0.0, now - _UNHEARD_S)

    def tone(self, tone: Tone, now: float) -> None:
        early = self._first is None or now - self._first < _SOON_S
        if self.sure and (self._kind in (Kind.MACHINE, Kind.SCREENER) or not early):
            return
        spoke = self._began is not None and self._speech_s >= _LONG_S
        match tone.kind:
            case ToneKind.ANSWER:
                self._say(Kind.FAX, 0.99, tone)
            case ToneKind.CALLING if not spoke:
                self._say(Kind.FAX, 0.95, tone)
            case ToneKind.INFORMATION:
                self._say(Kind.MACHINE, 0.99, tone)
            case _ if spoke:
                self._beeped(tone)

    def _beeped(self, tone: Tone) -> None:
        """What was said before it was a greeting, unless it is a person's telephone that beeps."""
        weighed = weigh(self._text, self._language)
        alone = tone.hz >= BEEPS_HZ and not self.sure and not greets(self._text)
        if weighed.kind is Kind.MACHINE or (alone and weighed.kind is not Kind.HUMAN):
            self._say(Kind.MACHINE, 0.9, tone)

    def judge(self, now: float) -> None:
        """Time has passed."""
        if self.verdict is not None or self.again is None or now < self.again - 1e-6:
            return
        if self._began is None:
            self.verdict = Verdict(Kind.SILENCE, 0.9, "nothing was heard")
            return
        weighed = weigh(self._text, self._language)
        waits = self._stopped is not None and now - self._stopped >= WAITS_S - 1e-6
        if weighed.kind not in (None, Kind.HUMAN) and weighed.weight >= (_LEANS_WAITING if waits else _LEANS):
            self._decide(weighed, 0.6)
        elif weighed.kind is Kind.HUMAN:
            self._decide(weighed, 0.8)
        elif waits:
            self.verdict = Verdict(
                Kind.HUMAN, 0.9, f"waits for an answer after {self._speech_s:.1f} s of speech"
            )
        else:
            self.verdict = Verdict(Kind.HUMAN, 0.5, "nothing speaks for a machine")

    @property
    def _speech_s(self) -> float:
        if self._began is not None and self._stopped is None:
            return self._spoken_s + max(0.0, self._looked - self._began)
        return self._spoken_s

    def _weigh(self, weighed: Weighed) -> None:
        if weighed.kind is None:
            return
        if weighed.kind is Kind.HUMAN:
            # A question that a machine does not ask; but a mere question mark may be the transcriber's.
            if weighed.weight >= 2:
                self._decide(weighed, 0.95)
        elif weighed.weight >= DECIDES:
            self._decide(weighed, 0.97)

    def _weigh_again(self, text: str) -> None:
        """The verdict was sure, or the beginning is over: only what is plain changes it."""
        weighed, count = weigh(text, self._language), len(text.split())
        if self._kind is Kind.MACHINE:
            # Somebody may have picked up while the machine spoke.
            asks = weighed.kind is Kind.HUMAN and weighed.weight >= DECIDES
            if count <= _FEW_WORDS and (asks or greets(text)):
                self.verdict = Verdict(Kind.HUMAN, 0.8, text)
            return
        clear = weighed.kind is Kind.MACHINE and weighed.weight >= _CHANGES_MIND
        if clear and count >= self._settings.least_words:
            self._decide(weighed, 0.9)

    def _decide(self, weighed: Weighed, confidence: float) -> None:
        assert weighed.kind is not None
        self.verdict = Verdict(weighed.kind, confidence, weighed.phrase)

    def _say(self, kind: Kind, confidence: float, tone: Tone) -> None:
        self.verdict = Verdict(kind, confidence, f"{tone.kind} tone of {tone.hz} Hz for {tone.ms} ms")
