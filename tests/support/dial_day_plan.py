"""What happens on a simulated day of dialling: who is to be called and when, what clients do, when processes die."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

S: Final = 1_000_000
HOUR: Final = 3600 * S

ZONES: Final = {
    "+1212": ("America/New_York",),
    "+1310": ("America/Los_Angeles",),
    "+4930": ("Europe/Berlin",),
    "+8136": ("Asia/Tokyo",),
    "+91222": ("Asia/Kolkata",),
    "+6128": ("Australia/Sydney",),
    "+55115": ("America/Sao_Paulo",),
    "+5622": ("America/Santiago",),
}
"""Where numbers that begin so lie."""

SAID: Final = (
    "Australia/Lord_Howe",
    "America/St_Johns",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Europe/London",
    "Pacific/Chatham",
    "America/Havana",
)
"""Zones that clients name: odd ones, and their clocks change by half an hour, at midnight, or around Ramadan."""

LONGEST_CALL: Final = 64_000
"""What is reserved for a call: telephone and platform for 90 s, in 1e-4 cents."""

NO_TRUNK_LIMIT: Final[tuple[int | None, int | None]] = (None, None)
_STATUSES: Final = ("busy", "no-answer", "failed", "error")


@dataclass(frozen=True)
class Person:
    """A line of a file, or somebody who is called alone."""

    number: str
    zone: str = ""
    """As the client says; empty: it does not."""


@dataclass(frozen=True)
class Agent:
    account: str
    id: str
    window: tuple[int, int] | None
    max_calls: int | None = None


@dataclass(frozen=True)
class Account:
    id: str
    max_calls: int | None = None
    interval_us: int | None = None
    wallet: int | None = None
    """What it can spend, 1e-4 cents; None: it is unlimited."""


@dataclass(frozen=True)
class Upload:
    at_s: float
    agent: Agent
    batch: str
    content: bytes
    retry: Mapping[str, Any] | None = None
    dial_once: bool = True
    max_calls: int | None = None


@dataclass(frozen=True)
class Schedule:
    at_s: float
    agent: Agent
    batch: str
    in_s: float
    """From then on."""
    bypass: bool = False


@dataclass(frozen=True)
class Place:
    at_s: float
    agent: Agent
    person: Person
    in_s: float | None = None
    retry: Mapping[str, Any] | None = None
    bypass: bool = False


@dataclass(frozen=True)
class StopSome:
    """Stop that many calls that are not over."""

    at_s: float
    calls: int


@dataclass(frozen=True)
class StopBatch:
    at_s: float
    agent: Agent
    batch: str
    delete: bool = False


@dataclass(frozen=True)
class StopAgent:
    at_s: float
    agent: Agent


@dataclass(frozen=True)
class Forbid:
    """Somebody asks not to be called again."""

    at_s: float
    account: str
    number: str


@dataclass(frozen=True)
class TopUp:
    """Somebody pays, or limits a wallet, or lifts its limit."""

    at_s: float
    account: str
    amount: int = 0
    """1e-4 cents; 0: only the limit changes."""
    limited: bool | None = None
    """None: it stays."""


@dataclass(frozen=True)
class Fold:
    """Counters are folded and wallets counted, as upkeep does."""

    at_s: float


@dataclass(frozen=True)
class Restart:
    """A worker ends as by SIGTERM, another takes its place."""

    at_s: float
    worker: int


Deed = Upload | Schedule | Place | StopSome | StopBatch | StopAgent | Forbid | TopUp | Fold | Restart


@dataclass(frozen=True)
class DayPlan:
    seed: int
    start_us: int
    accounts: tuple[Account, ...]
    agents: tuple[Agent, ...]
    deeds: tuple[Deed, ...]
    """In the order of time."""
    trunk: tuple[int | None, int | None] = NO_TRUNK_LIMIT
    """max_calls, interval_us."""
    kills: tuple[tuple[int, str], ...] = ()
    """At which statement, and before or after it."""
    stops: tuple[tuple[int, float], ...] = ()
    """Of processes, as by SIGSTOP: at which statement, for how many seconds."""
    power_cuts: tuple[int, ...] = ()
    """At which statement the machine stops: what was not to be durable is lost with it."""
    held: Mapping[int, float] = field(default_factory=dict)
    """The worker of the n-th claim stands still for so many seconds before it intends to dial."""
    late: Mapping[int, float] = field(default_factory=dict)
    """The same after the n-th intent, before the dial."""
    hunted: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    """The n-th dial is stopped by a client after so many seconds; its worker stands still from then on for so many."""
    workers: int = 3
    capacity: int = 4
    breaker_calls: int = 20
    refusals: float = 0.02
    """Share of the calls whose agent cannot be made ready."""


@dataclass
class _Draft:
    """A day that is being drawn."""

    chance: random.Random
    start_us: int
    deeds: list[Deed] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)

    def at(self, earliest_s: float = 0.0, latest_s: float = 16 * 3600.0) -> float:
        return self.chance.uniform(earliest_s, latest_s)

    def person(self) -> Person:
        prefix = self.chance.choice(list(ZONES))
        number = f"{prefix}{5550000 + len(self.people):07}"
        said = self.chance.choice(SAID) if self.chance.random() < 0.25 else ""
        self.people.append(Person(number, said))
        return self.people[-1]

    def retry(self) -> dict[str, Any] | None:
        if self.chance.random() < 0.35:
            return None
        return {
            "enabled": self.chance.random() < 0.95,
            "max_retries": self.chance.randint(1, 3),
            "retry_on_statuses": self.chance.sample(_STATUSES, self.chance.randint(1, 4)),
            "retry_on_voicemail": False,
            "retry_intervals_minutes": self.chance.choices((0, 1, 5, 30, 120), k=self.chance.randint(1, 3)),
        }

    def closing(self, at_s: float, agent: Agent, person: Person, else_s: float) -> float:
        """Now and then a moment, seconds after `at_s`, at which somebody's hours are just over, or will be."""
        if agent.window is None or self.chance.random() < 0.6:
            return else_s
        zone = (
            person.zone
            or next(zones for prefix, zones in ZONES.items() if person.number.startswith(prefix))[0]
        )
        moment = datetime.fromtimestamp(self.start_us / S + at_s, ZoneInfo(zone))
        past_s = moment.hour * 3600 + moment.minute * 60 + moment.second
        return max(0.0, (agent.window[1] * 3600 - past_s) % 86400 - self.chance.uniform(-5, 40))

    def limit(self, share: float, values: tuple[int, ...]) -> int | None:
        return self.chance.choice(values) if self.chance.random() < share else None


def draw(seed: int) -> DayPlan:
    """The day of a seed."""
    chance = random.Random(seed)
    draft = _Draft(chance, _start_us(chance))
    accounts = tuple(
        Account(
            f"account-{n}", draft.limit(0.5, (1, 2, 3, 5)), draft.limit(0.4, (100_000, 333_334, S, 3 * S))
        )
        for n in range(1 if chance.random() < 0.7 else 2)
    )
    agents = tuple(
        Agent(chance.choice(accounts).id, f"agent-{n}", _window(chance), draft.limit(0.2, (1, 2)))
        for n in range(chance.randint(1, 3))
    )
    for n in range(1 if chance.random() < 0.75 else 2):
        _batch(draft, chance.choice(agents), f"{seed:024x}{n:08x}")
    for _ in range(chance.choice((0, 0, 1, 2, 4))):
        at_s, agent, person = draft.at(), chance.choice(agents), draft.person()
        later = (
            draft.closing(at_s, agent, person, chance.uniform(60, 8 * 3600))
            if chance.random() < 0.6
            else None
        )
        deed = Place(at_s, agent, person, later, draft.retry(), chance.random() < 0.1)
        draft.deeds.append(deed)
    _stops(draft, agents)
    for _ in range(chance.choice((0, 1, 2))):
        draft.deeds.append(Fold(draft.at()))
    if chance.random() < 0.3:
        draft.deeds.append(Restart(draft.at(), chance.randrange(3)))
    accounts = _wallets(draft, accounts, random.Random(f"wallets of {seed}"))
    return DayPlan(
        seed,
        draft.start_us,
        accounts,
        agents,
        tuple(sorted(draft.deeds, key=lambda deed: deed.at_s)),
        (draft.limit(0.3, (2, 4)), draft.limit(0.3, (200_000, S))),
        tuple(
            sorted(
                (chance.randint(1, 1500), chance.choice(("before", "after")))
                for _ in range(chance.randint(0, 3))
            )
        ),
        tuple(sorted((chance.randint(1, 1500), chance.uniform(1, 60)) for _ in range(chance.choice((0, 0, 1, 2))))),
        power_cuts=(chance.randint(1, 1200),) if chance.random() < 0.15 else (),
        held={chance.randint(1, 20): chance.uniform(10, 60) for _ in range(chance.choice((0, 0, 1, 2)))},
        late={chance.randint(1, 12): chance.uniform(10, 60) for _ in range(chance.choice((0, 0, 1, 2)))},
        hunted={
            chance.randint(1, 12): (chance.uniform(0, 8), chance.choice((0, 1, 1)) * chance.uniform(1, 60))
            for _ in range(chance.choice((0, 0, 1, 2)))
        },
        breaker_calls=chance.choice((20, 20, 5)),
    )  # fmt: skip


def _wallets(draft: _Draft, accounts: tuple[Account, ...], chance: random.Random) -> tuple[Account, ...]:
    """Half of the accounts pay in advance: plenty, hardly enough, or too little until somebody tops it up."""
    paying = []
    for account in accounts:
        wallet = None
        if chance.random() < 0.5:
            wallet = chance.choice((1000, 1000, 4, 2, 1)) * LONGEST_CALL + chance.randint(-1, LONGEST_CALL)
            for _ in range(chance.choice((0, 0, 1, 3))):
                amount = chance.randint(1, 5 * LONGEST_CALL)
                draft.deeds.append(TopUp(chance.uniform(0, 16 * 3600), account.id, amount))
        if chance.random() < 0.1:
            for limited in (wallet is None, wallet is not None):
                draft.deeds.append(TopUp(chance.uniform(0, 16 * 3600), account.id, 0, limited))
        paying.append(replace(account, wallet=wallet))
    return tuple(paying)


def _batch(draft: _Draft, agent: Agent, batch: str) -> None:
    """A file with 5 to 30 lines, mostly few."""
    chance = draft.chance
    lines = ["contact_number,timezone,name"]
    for _ in range(round(5 + 25 * chance.random() ** 4)):
        person = draft.person()
        lines.append(f"{person.number},{person.zone},Jo")
        if chance.random() < 0.03:
            lines.append(lines[chance.randrange(1, len(lines))])
        if chance.random() < 0.03:
            lines.append(chance.choice(("12,,", '"x', "+4930123,a,b,c,d", "")))
    at_s = draft.at(0, 8 * 3600)
    content = "\n".join(lines).encode()
    once, most = chance.random() < 0.8, draft.limit(0.25, (1, 2, 3))
    draft.deeds.append(Upload(at_s, agent, batch, content, draft.retry(), once, most))
    at_s += chance.choice((0.0, 1, 60, 3600))
    in_s = draft.closing(at_s, agent, draft.people[-1], chance.choice((0, 1, 600, 3 * 3600)))
    draft.deeds.append(Schedule(at_s, agent, batch, in_s, chance.random() < 0.15))
    if chance.random() < 0.25:
        moment = at_s + in_s + chance.choice((0.1, 2, 10, 60, 600, 7200)) * chance.random()
        draft.deeds.append(StopBatch(moment, agent, batch, chance.random() < 0.3))
    if chance.random() < 0.3:
        moment = at_s + in_s + chance.choice((1, 10, 60, 600)) * chance.random()
        draft.deeds.append(StopSome(moment, chance.randint(1, 3)))


def _stops(draft: _Draft, agents: tuple[Agent, ...]) -> None:
    chance = draft.chance
    busy = [deed.at_s for deed in draft.deeds]
    if chance.random() < 0.1:
        draft.deeds.append(StopAgent(chance.choice(busy) + chance.uniform(0, 120), chance.choice(agents)))
    for _ in range(chance.choice((0, 0, 1, 2))):
        agent, number = chance.choice(agents), chance.choice(draft.people).number
        draft.deeds.append(Forbid(chance.choice(busy) + chance.uniform(-60, 600), agent.account, number))
    if chance.random() < 0.3:
        draft.deeds.append(StopSome(draft.at(), 1))


def _window(chance: random.Random) -> tuple[int, int] | None:
    """Over midnight too, and hours that a change of the clocks cuts off."""
    if chance.random() < 0.25:
        return None
    if chance.random() < 0.3:
        return chance.choice(((0, 2), (1, 3), (2, 3), (2, 4), (23, 1), (22, 3), (3, 2), (9, 9)))
    start = chance.randrange(24)
    return start, (start + chance.randint(1, 14)) % 24


def _start_us(chance: random.Random) -> int:
    """Three days of five are around a change of the clocks somewhere."""
    if chance.random() < 0.6:
        return chance.choice(_changes()) - round(chance.uniform(0, 14) * HOUR)
    return _us(datetime(2026, 1, 1, tzinfo=UTC)) + round(chance.uniform(0, 700 * 24) * HOUR)


@cache
def _changes() -> tuple[int, ...]:
    """When the clocks change, to the hour."""
    names = {name for zones in ZONES.values() for name in zones} | set(SAID)
    found, hour = [], timedelta(hours=1)
    for zone in (ZoneInfo(name) for name in sorted(names)):
        day = datetime(2026, 1, 1, tzinfo=UTC)
        while day.year < 2028:
            if day.astimezone(zone).utcoffset() != (day + 24 * hour).astimezone(zone).utcoffset():
                moment = day
                while moment.astimezone(zone).utcoffset() == (moment + hour).astimezone(zone).utcoffset():
                    moment += hour
                found.append(_us(moment))
            day += 24 * hour
    return tuple(found)


def _us(moment: datetime) -> int:
    return round(moment.timestamp()) * S
