"""Expression edges of a graph: comparisons of slots and context variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringback.agents.plan import Comparison, Expression


def holds(expression: Expression, values: Mapping[str, Any]) -> bool:
    """Whether the expression is true of `values`; a variable may be a path into them ("patient.age")."""
    results = (_compare(condition, values) for condition in expression.conditions)
    return all(results) if expression.logic == "and" else any(results)


def _compare(comparison: Comparison, values: Mapping[str, Any]) -> bool:
    """A variable that is missing makes everything false but `not_exists`, `neq` and `not_in`."""
    value = _look_up(comparison.variable, values)
    wanted = comparison.value
    match comparison.operator:
        case "exists":
            return value is not None
        case "not_exists":
            return value is None
        case "eq":
            return _equal(value, wanted)
        case "neq":
            return not _equal(value, wanted)
        case "in":
            return _contains(wanted, value)
        case "not_in":
            return not _contains(wanted, value)
        case "contains":
            return _contains(value, wanted)
        case operator:
            return _ordered(operator, value, wanted)


def _look_up(path: str, values: Mapping[str, Any]) -> Any:
    if path in values:
        return values[path]
    value: Any = values
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _equal(one: Any, other: Any) -> bool:
    if one is None or other is None:
        return one is other
    numbers = _number(one), _number(other)
    if None not in numbers:
        return numbers[0] == numbers[1]
    return str(one).casefold() == str(other).casefold()


def _contains(container: Any, item: Any) -> bool:
    if item is None:
        return False
    if isinstance(container, str):
        return str(item).casefold() in container.casefold()
    return isinstance(container, (list, tuple, set)) and any(_equal(item, other) for other in container)


def _ordered(operator: str, value: Any, wanted: Any) -> bool:
    if value is None or wanted is None:
        return False
    numbers = _number(value), _number(wanted)
    # Dates and times of day order as their ISO text does.
    one, other = numbers if None not in numbers else (str(value), str(wanted))
    return {"gt": one > other, "gte": one >= other, "lt": one < other, "lte": one <= other}[operator]  # type: ignore[operator]
