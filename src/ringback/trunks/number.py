"""Telephone numbers of accounts: as a carrier writes them, and how two spellings are compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_E164: Final = re.compile(r"\+[1-9][0-9]{1,14}")
_NUMBER: Final = re.compile(r"\+?[0-9]{1,32}")


class BadNumber(ValueError):
    """It is no telephone number; the message says what is wanted, and follows the name of the field."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is kept. Times are microseconds since the epoch, UTC."""

    account_id: str
    id: str
    trunk_id: str | None
    """None: on the trunk of the settings."""
    phone_number: str
    """As the carrier writes it."""
    name: str | None
    e164_check_enabled: bool
    agent_id: str | None
    """Who answers."""
    price: int
    """A month, in 1e-4 cents."""
    created_at: int
    updated_at: int

    @property
    def digits(self) -> str:
        return digits_of(self.phone_number)

    @property
    def e164(self) -> str:
        """As records show it."""
        return f"+{self.digits}"


def digits_of(number: str) -> str:
    """What is compared: the carrier's plus may be there or not."""
    return number.removeprefix("+")


def checked(number: str, *, e164: bool) -> str:
    """The number, as it was given. Raises BadNumber; `e164`: also where it is not in that form."""
    if e164 and not _E164.fullmatch(number):
        raise BadNumber("must be a phone number in E.164 form, such as +14155550123")
    if not _NUMBER.fullmatch(number):
        raise BadNumber("must be 1 to 32 digits, with or without a leading +")
    return number
