"""Which adapter serves which provider name of an agent; a name without one is refused at call time."""

from __future__ import annotations

from typing import Final

import httpx2

from ringback.agents.chat import ChatModel
from ringback.agents.plan import ChatPlan, GraphPlan, OtherModel, SpeechPart
from ringback.agents.tools import ToolRunner
from ringback.app.settings import Settings, SettingsError
from ringback.llm.fallback import FallbackChat
from ringback.llm.openai_compatible import OpenAICompatible
from ringback.media.frame import SAMPLE_RATE
from ringback.media.speech import Synthesizer, Transcriber
from ringback.net.addresses import Allowed, BadEntry
from ringback.net.client import GuardedClient
from ringback.speech.hibari import VOICE
from ringback.speech.wyoming import WyomingSynthesizer, WyomingTranscriber
from ringback.tools.http import HttpToolRunner

LOCAL_TRANSCRIBERS: Final = ("local", "whisper", "wyoming")
LOCAL_SYNTHESIZERS: Final = ("local", "hibari", "wyoming")
CHAT: Final = ("openai", "custom", "openrouter", "groq", "azure", "ollama", "vllm", "llama.cpp")
"""All of them through the OpenAI-compatible endpoint of the agent's or the installation's `base_url`."""

SCRIPTED: Final = "scripted"
PATIENT_FIRST_TOKEN_S: Final = 45.0
PATIENT_TOTAL_S: Final = 90.0
"""Where nobody waits on the telephone: a whole transcript takes a small machine long to read."""


class UnknownProvider(Exception):
    """No adapter; the message names the provider and those that there are."""

    def __init__(self, kind: str, provider: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f'There is no adapter for the {kind} "{provider}"; this installation has: {", ".join(known)}'
        )


class UnknownVoice(Exception):
    """The embedded synthesizer has no such voice; the message names both."""

    def __init__(self, voice: str) -> None:
        super().__init__(f'The synthesizer has no voice "{voice}"; it has "{VOICE}"')


class Providers:
    """Makes ears, voices and language models by the names that agents give them."""

    def __init__(self, settings: Settings) -> None:
        """Made before the first call: what takes long, the SDK and the authorities for TLS, is loaded here.

        Raises SettingsError for a list of allowed networks that cannot be read.
        """
        speech = settings.speech
        self._settings = settings
        self._tls = httpx2.create_ssl_context()
        self._client = GuardedClient(allowed(settings), tls=self._tls)
        self._tools = HttpToolRunner(self._client)
        self._chats: dict[tuple[str, str | None, OtherModel | None, bool], ChatModel] = {}
        # Our own speech process takes the telephone's rate as it is; others expect 16 kHz.
        self._transcriber = (
            WyomingTranscriber(speech.transcriber_uri, timeout_s=speech.timeout_s)
            if speech.transcriber_uri
            else WyomingTranscriber(
                settings.speech_uri,
                provider="local",
                model=speech.model or "whisper-base",
                rate=SAMPLE_RATE,
                timeout_s=speech.timeout_s,
            )
        )
        self._synthesizer = (
            WyomingSynthesizer(speech.synthesizer_uri, first_timeout_s=speech.timeout_s)
            if speech.synthesizer_uri
            else WyomingSynthesizer(
                settings.speech_uri, provider="local", model="hibari", first_timeout_s=speech.timeout_s
            )
        )

    @property
    def tools(self) -> ToolRunner:
        """What runs the functions of all agents."""
        return self._tools

    @property
    def outbound(self) -> GuardedClient:
        """For requests to URLs that users wrote."""
        return self._client

    def transcriber(self, part: SpeechPart) -> Transcriber:
        if part.provider not in LOCAL_TRANSCRIBERS:
            raise UnknownProvider("transcriber", part.provider, LOCAL_TRANSCRIBERS)
        return self._transcriber

    def synthesizer(self, part: SpeechPart) -> Synthesizer:
        if part.provider not in LOCAL_SYNTHESIZERS:
            raise UnknownProvider("synthesizer", part.provider, LOCAL_SYNTHESIZERS)
        if not self._settings.speech.synthesizer_uri and part.voice not in ("", VOICE):
            raise UnknownVoice(part.voice)
        return self._synthesizer

    def chat(self, dialogue: GraphPlan | ChatPlan, *, waiting: bool = True) -> ChatModel | None:
        """None where the dialogue needs no language model. `waiting`: a person is, on the telephone."""
        if isinstance(dialogue, GraphPlan) and dialogue.provider == SCRIPTED:
            return None
        fallback = dialogue.fallback or self._fallback(dialogue)
        return self._chat(dialogue.provider, dialogue.base_url, fallback, waiting)

    def endpoint(self, base_url: str | None) -> str | None:
        """Where questions for it go: an URL, an empty text for OpenAI's own. None: nobody is there to be asked."""
        llm = self._settings.llm
        return (base_url or llm.base_url) or ("" if llm.api_key.get_secret_value() else None)

    @property
    def model(self) -> str:
        """The installation's own, where it names one."""
        return self._settings.llm.model

    def _fallback(self, dialogue: GraphPlan | ChatPlan) -> OtherModel | None:
        """The installation's second model is for those who talk to its first: where else the words of an
        agent's callers may go is for the agent to say."""
        llm = self._settings.llm
        if not llm.fallback_model or dialogue.base_url not in (None, llm.base_url):
            return None
        return OtherModel(llm.fallback_provider, llm.fallback_model, llm.fallback_base_url or None)

    def _chat(
        self, provider: str, base_url: str | None, fallback: OtherModel | None, waiting: bool
    ) -> ChatModel:
        """One client for each endpoint, so that its connections are used again."""
        if (known := self._chats.get((provider, base_url, fallback, waiting))) is not None:
            return known
        if provider not in CHAT:
            raise UnknownProvider("language model", provider, CHAT)
        llm = self._settings.llm
        chat: ChatModel
        if fallback is not None:
            second = self._chat(fallback.provider, fallback.base_url, None, waiting)
            chat = FallbackChat(self._chat(provider, base_url, None, waiting), second, fallback.model)
        else:
            first_s, total_s = (0.0, 0.0) if waiting else (PATIENT_FIRST_TOKEN_S, PATIENT_TOTAL_S)
            chat = OpenAICompatible(
                provider,
                base_url or llm.base_url or None,
                self._key(base_url),
                first_token_timeout_s=max(first_s, llm.first_token_timeout_s),
                total_timeout_s=max(total_s, llm.total_timeout_s),
                tls=self._tls,
            )
        self._chats[provider, base_url, fallback, waiting] = chat
        return chat

    def _key(self, base_url: str | None) -> str | None:
        """A key of the installation is for its own endpoint, never for one that an agent names."""
        llm = self._settings.llm
        if base_url and base_url == llm.fallback_base_url and llm.fallback_api_key.get_secret_value():
            return llm.fallback_api_key.get_secret_value()
        return llm.api_key.get_secret_value() if base_url in (None, llm.base_url) else None


def allowed(settings: Settings) -> Allowed:
    """Where requests that users ask for may go. Raises SettingsError."""
    try:
        return Allowed(settings.outbound.allow)
    except BadEntry as error:
        raise SettingsError(f"outbound.allow: {error}") from None
