"""`ivr_config` of a phone number (contract 10): menus and collected digits before the agent speaks.

Our additions: `language` (of the prompts, for the voice), texts by language code wherever a text may stand, and
`finish_on_key: ""` for none. A step without `field_name` writes its result under its `step_id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ringback.agents.validation import Localised, Name, Part, Real, Text, Whole, refuse

INVALID_INPUT = "Sorry, that is not a valid choice."
NO_INPUT = "Sorry, I did not get any input."
MAX_DIGITS = 40

Key = Annotated[str, Field(pattern=r"^[0-9*#]$")]
Problems = Iterator[tuple[tuple[str | int, ...], str]]


class Option(Part):
    """What a key of a menu chooses."""

    digit: Key
    label: Text = ""
    agent_id: Name | None = None
    context_label: Text | None = None


class Step(Part):
    """A menu takes one key, a collection digits. Where neither `conditional_next` (by the key, or by all digits) nor
    `next_step` leads on, it is the last one."""

    step_id: Name
    type: Literal["menu", "collect"]
    prompt: Localised
    field_name: Name | None = None
    options: Annotated[list[Option], Field(default_factory=list, max_length=12)]
    num_digits: Annotated[Whole, Field(ge=1, le=MAX_DIGITS)] | None = None
    min_digits: Annotated[Whole, Field(ge=1, le=MAX_DIGITS)] | None = None
    max_digits: Annotated[Whole, Field(ge=1, le=MAX_DIGITS)] | None = None
    finish_on_key: Annotated[str, Field(pattern=r"^[0-9*#]?$")] = "#"
    next_step: Name | None = None
    conditional_next: dict[str, Name] | None = None

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        refuse(self._problems())
        return self

    @property
    def field(self) -> str:
        """Where its result goes."""
        return self.field_name or self.step_id

    @property
    def fewest(self) -> int:
        return self.num_digits or self.min_digits or 1

    @property
    def most(self) -> int:
        return self.num_digits or self.max_digits or MAX_DIGITS

    def option(self, key: str) -> Option | None:
        return next((option for option in self.options if option.digit == key), None)

    def following(self, value: str) -> str | None:
        """The step after the one in which `value` was given; None for the end."""
        return (self.conditional_next or {}).get(value) or self.next_step

    def _problems(self) -> Problems:
        if not self.prompt:
            yield ("prompt",), "is required: what is said before the keys are waited for"
        if self.type == "menu":
            yield from self._menu_problems()
        elif self.fewest > self.most:
            yield ("max_digits",), "must be at least min_digits"

    def _menu_problems(self) -> Problems:
        digits = [option.digit for option in self.options]
        if not digits:
            yield ("options",), "of a menu must hold at least one option"
        for n, digit in enumerate(digits):
            if digit in digits[:n]:
                yield ("options", n, "digit"), f'is used twice in the menu: "{digit}"'
        for digit in self.conditional_next or {}:
            if digit not in digits:
                yield ("conditional_next", digit), "is no digit of the menu's options"


class IvrConfig(Part):
    """Check it with `validation.check`. Fields that are null or missing have their defaults."""

    enabled: bool = False
    voice: str = "Polly.Joanna"
    language: str = "en"
    welcome_message: Localised = ""
    timeout: Annotated[Real, Field(gt=0, le=60)] = 5
    """Seconds of silence after a prompt, and between digits."""
    max_retries: Annotated[Whole, Field(ge=0, le=10)] = 2
    invalid_input_message: Localised = INVALID_INPUT
    no_input_message: Localised = NO_INPUT
    steps: Annotated[list[Step], Field(min_length=1, max_length=100)]
    default_agent_id: Name | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        refuse(self._problems())
        return self

    @property
    def agent_ids(self) -> set[str]:
        """Every agent that it may lead to; whoever stores it sees that they exist."""
        chosen = {option.agent_id for step in self.steps for option in step.options if option.agent_id}
        return chosen | ({self.default_agent_id} if self.default_agent_id else set())

    def step(self, step_id: str) -> Step:
        return next(step for step in self.steps if step.step_id == step_id)

    def _problems(self) -> Problems:
        known = [step.step_id for step in self.steps]
        for n, step in enumerate(self.steps):
            if step.step_id in known[:n]:
                yield ("steps", n, "step_id"), f'is used twice: "{step.step_id}"'
            if step.next_step is not None and step.next_step not in known:
                yield ("steps", n, "next_step"), f'names no step: "{step.next_step}"'
            for key, target in (step.conditional_next or {}).items():
                if target not in known:
                    yield ("steps", n, "conditional_next", key), f'names no step: "{target}"'
