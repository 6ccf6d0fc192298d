"""Every setting, documented where it is declared: environment `RINGBACK_*` over a `ringback.toml`.

Nested settings join with two underscores: `RINGBACK_TRUNK__HOST=sip.example.net` is `[trunk] host = ...`.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

Port = Annotated[int, Field(ge=0, le=65535)]


class SettingsError(Exception):
    """The configuration cannot be used; the message names each bad setting and what is wrong with it."""


class TrunkSettings(BaseModel, extra="forbid"):
    """The SIP trunk through which calls go out. Without a host no call can be placed."""

    host: str = Field("", description="The carrier's SIP host or address.")
    port: Port = Field(
        5060,
        description="The carrier's SIP port; 5060: what its SRV records say, else the transport's default.",
    )
    transport: str = Field(
        "udp", pattern="^(udp|tcp|tls)$", description="How SIP travels to it: udp, tcp or tls."
    )
    encryption: str = Field(
        "none",
        pattern="^(none|optional|required)$",
        description="Of the audio (SRTP with keys in the SDP, for transport tls): none, optional or required.",
    )
    username: str = Field(
        "", description="User of the digest authentication; empty where the carrier knows us by address."
    )
    password: SecretStr = Field(SecretStr(""), description="Its password.")
    pool: list[str] = Field(
        default_factory=list,
        description="Numbers on this trunk that accounts may take for themselves (POST /phone-numbers/buy), E.164.",
    )
    from_numbers: list[str] = Field(
        default_factory=list,
        description="Our numbers on this trunk, E.164; the first one is used when a call names none.",
    )
    ring_timeout_s: float = Field(
        45.0, gt=0, le=300, description="Seconds until an unanswered call is given up."
    )
    max_calls: int = Field(
        0, ge=0, description="Calls of all accounts that it carries at a time; 0: unlimited."
    )
    calls_per_second: float = Field(
        0, ge=0, le=1000, description="Dials of all accounts in any second; 0: unlimited."
    )
    inbound_hosts: list[str] = Field(
        default_factory=list,
        description="Names, addresses and CIDR networks that its calls to us come from, beside `host`.",
    )
    outbound_proxy: str = Field(
        "", description="host or host:port that gets the packets instead of `host`, e.g. a SIP load balancer."
    )


class SipSettings(BaseModel, extra="forbid"):
    """Our own side of the telephony."""

    host: str = Field("127.0.0.1", description="Address that SIP and RTP bind to, as the trunk can reach it.")
    port: Port = Field(
        5080,
        description="UDP and TCP port for SIP; worker n takes this + 2n or the next one; 0: any free one.",
    )
    external_host: str = Field(
        "",
        description="Behind NAT: the name or address by which peers reach us, told to them instead of `host`.",
    )
    rtp_timeout_s: float = Field(
        30.0,
        ge=0,
        description="Seconds without audio from the other side after which a call ends; 0: never. On hold 600.",
    )
    tls_port: Port = Field(
        5061,
        description="TCP port for SIP by TLS, where there is a certificate; counted as the one above; 0: any.",
    )
    tls_certificate: str = Field("", description="PEM file with our certificate and its chain; empty: none.")
    tls_key: str = Field("", description="PEM file with its key; empty: the same file.")
    tls_authorities: str = Field(
        "", description="PEM file of authorities that are trusted for carriers besides the system's."
    )
    proxies: list[str] = Field(
        default_factory=list,
        description="SIP load balancers in front of us beside trunk.outbound_proxy: names or addresses. What they say"
        " of where a call came from is believed.",
    )
    rtp_port_low: Port = Field(20000, description="First UDP port for audio.")
    rtp_port_high: Port = Field(29999, description="Last UDP port for audio.")


class InboundSettings(BaseModel, extra="forbid"):
    """Calls to us."""

    queue_message: str = Field(
        "",
        description="What callers hear while all places of a worker are taken, again and again until there is one;"
        " empty: they are refused with 503, so that the carrier tries another worker.",
    )
    queue_language: str = Field("en", description="Its language.")
    queue_places: int = Field(10, ge=1, le=1000, description="So many callers of one worker wait at most.")
    queue_s: float = Field(120.0, gt=0, le=3600, description="Then who still waits is hung up.")


class SpeechSettings(BaseModel, extra="forbid"):
    """Ears and voices. The default is the embedded speech process; any Wyoming server can stand in."""

    transcriber_uri: str = Field(
        "", description="Wyoming server for speech to text (tcp://host:port, unix:///path); empty: embedded."
    )
    synthesizer_uri: str = Field("", description="Wyoming server for text to speech; empty: embedded.")
    model: str = Field(
        "",
        description="Directory or hub name of another CTranslate2 Whisper model; empty: the packaged base model.",
    )
    threads: int = Field(1, ge=1, le=64, description="CPU threads of one transcription.")
    timeout_s: float = Field(
        10.0, gt=0, description="Longest wait for a transcription or the first audio of a sentence."
    )


class LanguageModelSettings(BaseModel, extra="forbid"):
    """Where `simple_llm_agent` talks to when the agent names no `base_url` of its own."""

    base_url: str = Field(
        "", description="OpenAI-compatible endpoint, e.g. http://127.0.0.1:11434/v1; empty: OpenAI's own."
    )
    api_key: SecretStr = Field(SecretStr(""), description="Its key.")
    model: str = Field(
        "",
        description="Model of `base_url` that is asked about calls of agents without a language model of their own,"
        " where dispositions and templates name only the default, gpt-4.1-mini; empty: that one.",
    )
    first_token_timeout_s: float = Field(8.0, gt=0, description="Longest wait for the first token.")
    total_timeout_s: float = Field(30.0, gt=0, description="Longest whole reply.")
    fallback_model: str = Field(
        "",
        description="Model that answers where the agent's own fails before it says anything; empty: none. For"
        " agents that talk to `base_url`; those with one of their own name their own fallback_model.",
    )
    fallback_provider: str = Field("openai", description="Its provider's name, for usage and log.")
    fallback_base_url: str = Field("", description="Its OpenAI-compatible endpoint; empty: `base_url`.")
    fallback_api_key: SecretStr = Field(SecretStr(""), description="The key of `fallback_base_url`.")


class OutboundSettings(BaseModel, extra="forbid"):
    """Where agents' functions and webhooks may send requests to: anywhere but private addresses."""

    allow: list[str] = Field(
        default_factory=list,
        description="Private networks and hosts that they may reach all the same: addresses, CIDR networks"
        ' ("10.0.0.0/8"), host names ("crm.internal").',
    )


class WalletSettings(BaseModel, extra="forbid"):
    """Accounts whose wallet is limited; others are only metered."""

    reserve_extra_cents: Decimal = Field(
        Decimal(0),
        ge=0,
        le=1_000_000,
        description="Cents kept aside for each call beside the telephone and the transcriber until `call_terminate`:"
        " what language model and voice may cost.",
    )


class RateLimitSettings(BaseModel, extra="forbid"):
    """Requests that an account may send in each minute of the clock; 0 is unlimited."""

    named_per_minute: int = Field(
        500,
        ge=0,
        description="To each of /v2/agent/{id}, /v2/agent/{id}/executions and /call; 0: unlimited.",
    )
    other_per_minute: int = Field(1000, ge=0, description="To all other paths together; 0: unlimited.")


class DiallingSettings(BaseModel, extra="forbid"):
    """The queue: leases, and what an account may dial that has no limits of its own."""

    lease_s: float = Field(
        30.0, ge=2, le=300, description="A worker that gives no sign of life for so long is taken for lost."
    )
    unknown_s: float = Field(
        240.0,
        gt=0,
        description="So long after its dial a lost worker's call counts for the limits: it may still be going on.",
    )
    unknown_timezone: str = Field(
        "UTC", description="Time zone (IANA) of numbers whose own is not known, for calling hours."
    )
    account_calls: int = Field(0, ge=0, description="Calls of an account at a time; 0: unlimited.")
    account_per_second: float = Field(
        0, ge=0, le=1000, description="Dials of an account in any second; 0: unlimited."
    )
    breaker_calls: int = Field(
        20, ge=0, description="A batch is paused when so many last calls of it went wrong; 0: never."
    )
    breaker_share: float = Field(0.8, gt=0, le=1, description="What share of them must have.")

    @field_validator("unknown_timezone")
    @classmethod
    def _is_a_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError(f"{name!r} is no IANA time zone, as Europe/Berlin is one") from None
        return name


class BatchSettings(BaseModel, extra="forbid"):
    """Files of people to call."""

    max_bytes: int = Field(268_435_456, ge=1024, description="Largest file of a batch.")
    max_lines: int = Field(1_000_000, ge=1, description="Most lines of one.")
    round_minutes: int = Field(
        0,
        ge=0,
        le=60,
        description="Schedules are rounded up to a multiple of so many minutes; 0: not at all.",
    )


class MetricsSettings(BaseModel, extra="forbid"):
    """Metrics for Prometheus: `GET /metrics` of the API."""

    enabled: bool = Field(True, description="Whether metrics are kept and served.")
    token: SecretStr = Field(
        SecretStr(""), description="Bearer token that a scrape must bring; empty: none is needed."
    )
    host: str = Field("127.0.0.1", description="Address of the port below.")
    port: Port = Field(
        0, description="Port for the metrics of a worker or speech process that runs alone; 0: none."
    )


class Settings(BaseSettings):
    """The whole configuration of one installation."""

    model_config = SettingsConfigDict(
        env_prefix="RINGBACK_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data: Path = Field(
        Path("data"), description="Folder of the database, recordings, sockets and background sounds."
    )
    database_url: SecretStr = Field(
        SecretStr(""), description="postgresql://user:password@host/name; empty: SQLite in the data folder."
    )
    secret_key: SecretStr = Field(
        SecretStr(""),
        description="Key of the trunks' passwords in the database, 32 bytes in base64, the same on every machine;"
        " empty: `secret.key` in the data folder, made when there is none. Several, by commas: the first encrypts.",
    )
    host: str = Field("127.0.0.1", description="Address of the HTTP API.")
    port: Port = Field(8080, description="Port of the HTTP API; 0 takes a free one.")
    public_url: str = Field(
        "", description="How clients reach the API, for links to recordings; empty: http://host:port."
    )
    workers: int = Field(1, ge=1, le=64, description="Call worker processes on this machine.")
    calls_per_worker: int = Field(20, ge=1, le=1000, description="Calls that one worker holds at a time.")
    lateness_limit_ms: float = Field(
        20.0, gt=0, description="A worker with calls whose audio is later than this takes no more of them."
    )
    drain_s: float = Field(
        120.0, ge=0, description="After a stop, how long calls under way may go on before they are hung up."
    )
    max_body_bytes: int = Field(1_048_576, ge=1024, description="Largest request body of the API.")
    strict_date_window: bool = Field(
        False, description="Refuse v2 list requests without from/to or over seven days."
    )
    log_level: str = Field(
        "info", pattern="^(debug|info|warning|error)$", description="Least severe log line shown."
    )

    sip: SipSettings = Field(default_factory=SipSettings)
    trunk: TrunkSettings = Field(default_factory=TrunkSettings)
    inbound: InboundSettings = Field(default_factory=InboundSettings)
    speech: SpeechSettings = Field(default_factory=SpeechSettings)
    llm: LanguageModelSettings = Field(default_factory=LanguageModelSettings)
    outbound: OutboundSettings = Field(default_factory=OutboundSettings)
    wallet: WalletSettings = Field(default_factory=WalletSettings)
    rate_limits: RateLimitSettings = Field(default_factory=RateLimitSettings)
    dialling: DiallingSettings = Field(default_factory=DiallingSettings)
    batches: BatchSettings = Field(default_factory=BatchSettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=_toml_file())
        return init_settings, env_settings, toml

    @property
    def store_url(self) -> str:
        return self.database_url.get_secret_value() or f"sqlite:///{(self.data / 'ringback.db').absolute()}"

    @property
    def base_url(self) -> str:
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"

    @property
    def ambient(self) -> Path:
        """The operator's own background sounds: `<id>.wav`."""
        return self.data / "ambient"

    @property
    def recordings(self) -> Path:
        return self.data / "recordings"

    @property
    def uploads(self) -> Path:
        """Files of batches."""
        return self.data / "uploads"

    @property
    def speech_uri(self) -> str:
        """Where the embedded speech process listens."""
        return f"unix://{(self.data / 'speech.sock').absolute()}"


def _toml_file() -> Path:
    return Path(os.environ.get("RINGBACK_CONFIG", "ringback.toml"))


def load() -> Settings:
    """Read the environment and the file. Raises SettingsError with one line per bad setting."""
    named = os.environ.get("RINGBACK_CONFIG")
    if named and not Path(named).is_file():
        raise SettingsError(f"RINGBACK_CONFIG names {named}, which is not a file")
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False)]
        raise SettingsError("The configuration cannot be used.\n  " + "\n  ".join(lines)) from None
    except ValueError as error:
        raise SettingsError(f"The configuration file {_toml_file()} cannot be read: {error}") from None
