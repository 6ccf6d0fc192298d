"""What clients may say of a disposition, and what is wrong with it (contract 13). Unknown keys are ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ringback.agents import patterns
from ringback.agents.disposition import DEFAULT_CATEGORY, DEFAULT_MODEL, SubjectiveType
from ringback.agents.validation import Name, Part, check, refuse, written

MAX_DEPTH: Final = 5
"""Of options within options."""
MAX_OPTIONS: Final = 200
"""All levels together: they stand in the question to the language model."""


def _regular(pattern: str) -> str:
    if (why := patterns.problem(pattern)) is not None:
        raise PydanticCustomError("pattern", "is not a regular expression (RE2): {why}", {"why": why})
    return pattern


Question = Annotated[str, Field(min_length=1, max_length=10_000)]
SystemPrompt = Annotated[str, Field(max_length=20_000)]


class SubjectiveTypeConfig(Part):
    """What an answer of the type `regex` must match, and how to say so in words."""

    model_config = ConfigDict(extra="ignore")

    pattern: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_regular)] = Field(
        description="Syntax of RE2, upper and lower case alike; `^` and `$` where the whole answer must match."
    )
    description: Annotated[str, Field(max_length=1000)] | None = None


class ObjectiveOption(Part):
    """A value that may be chosen, and when."""

    model_config = ConfigDict(extra="ignore")

    value: Name
    condition: Annotated[str, Field(max_length=5000)]
    sub_options: list[ObjectiveOption] = Field(
        default_factory=list,
        description=f"Of the same shape, for a finer choice; at most {MAX_DEPTH} levels and {MAX_OPTIONS} options "
        "altogether.",
    )


class DispositionFields(Part):
    """A question about a finished call. At least one of `is_subjective` and `is_objective` is true."""

    model_config = ConfigDict(extra="ignore")

    name: Name
    question: Question
    category: Name = DEFAULT_CATEGORY
    system_prompt: SystemPrompt | None = None
    model: Name = DEFAULT_MODEL
    is_subjective: bool = False
    is_objective: bool = False
    subjective_type: SubjectiveType = "text"
    subjective_type_config: SubjectiveTypeConfig | None = Field(
        None, description="Required for the type `regex`."
    )
    objective_options: list[ObjectiveOption] | None = Field(
        None, description="Required where `is_objective`: at least one."
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        refuse(self._problems())
        return self

    def _problems(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        if not (self.is_subjective or self.is_objective):
            yield ("is_subjective",), "or is_objective must be true"
        if self.subjective_type != "text" and not self.is_subjective:
            yield ("subjective_type",), "is only for dispositions whose is_subjective is true"
        if self.subjective_type == "regex" and self.subjective_type_config is None:
            yield ("subjective_type_config",), "is required for the subjective_type regex"
        if self.is_objective and not self.objective_options:
            yield ("objective_options",), "must hold at least 1 item where is_objective is true"
        yield from self._options()

    def _options(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Too many or too deep, and values of which a result could not tell which was meant."""
        ahead: list[tuple[tuple[str | int, ...], Sequence[ObjectiveOption]]] = [
            (("objective_options",), self.objective_options or ())
        ]
        number = 0
        while ahead:
            path, options = ahead.pop()
            number += len(options)
            if number > MAX_OPTIONS:
                yield ("objective_options",), f"must hold at most {MAX_OPTIONS} options, with all sub_options"
                return
            if len(path) > 2 * MAX_DEPTH and options:
                yield ("objective_options",), f"may have at most {MAX_DEPTH} levels of options"
                return
            seen: set[str] = set()
            for place, option in enumerate(options):
                if option.value in seen:
                    yield (*path, place, "value"), f"is in {written(path)} twice"
                seen.add(option.value)
                ahead.append(((*path, place, "sub_options"), option.sub_options))

    def plain(self) -> dict[str, Any]:
        """As plain JSON, every key with its value."""
        return self.model_dump(mode="json", include=set(NAMES))


NAMES: Final = tuple(DispositionFields.model_fields)


def changed(fields: Mapping[str, Any], changes: Mapping[str, Any]) -> DispositionFields:
    """The fields with those of the changes in their place; null stands for the default. Raises InvalidInput.

    Who takes the subjective part away need not take its type away too.
    """
    merged = {**fields, **{name: changes[name] for name in NAMES if name in changes}}
    if merged["is_subjective"] is not True and "subjective_type" not in changes:
        merged["subjective_type"] = "text"
    return check(DispositionFields, merged)
