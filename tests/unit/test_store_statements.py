"""Statements: their translation, and that each names its account."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import ringback.store.queries
from ringback.store.database import redact
from ringback.store.statement import for_postgresql, for_sqlite, in_lists

QUERIES = sorted(Path(ringback.store.queries.__file__).parent.glob("*.py"))
STATEMENT = re.compile(
    r"^\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|\{_(RECORDING|TRANSFERS|SELECT)\})\s", re.DOTALL
)


def test_parameters_become_positions() -> None:
    sql = "SELECT a::TEXT FROM t WHERE a = :a AND b = :b AND c = :a AND d = :a_b"
    assert for_postgresql(sql) == (
        "SELECT a::TEXT FROM t WHERE a = $1 AND b = $2 AND c = $1 AND d = $3",
        ("a", "b", "a_b"),
    )


def test_row_locks_are_dropped_for_sqlite() -> None:
    assert for_sqlite("SELECT 1 LIMIT 1 FOR UPDATE SKIP LOCKED").rstrip() == "SELECT 1 LIMIT 1"
    assert for_sqlite("SELECT 1 FOR UPDATE").rstrip() == "SELECT 1"
    assert for_sqlite("SELECT 1 FOR SHARE").rstrip() == "SELECT 1"
    assert for_sqlite("SELECT 1 FOR KEY SHARE").rstrip() == "SELECT 1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:geheim@host:5432/x", "postgresql://me:***@host:5432/x"),
        ("postgresql://me:ge@heim:x@host/x", "postgresql://me:***@host/x"),
        ("postgresql://host/x", "postgresql://host/x"),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_passwords_are_left_out(url: str, shown: str) -> None:
    assert redact(url) == shown


def _statements(node: ast.AST) -> list[str]:
    """The SQL texts of a piece of code; what an f-string fills in stands as `{name}`."""
    if isinstance(node, ast.JoinedStr):
        texts = ["".join(_piece(value) for value in node.values)]
    elif isinstance(node, ast.Constant):
        texts = [str(node.value)]
    else:
        return [text for child in ast.iter_child_nodes(node) for text in _statements(child)]
    return [text for text in texts if STATEMENT.match(text)]


def _piece(value: ast.expr) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value)
    return "{" + ast.unparse(value.value) + "}" if isinstance(value, ast.FormattedValue) else ""


BEGINNINGS = ("_RECORDING", "_TRANSFERS", "_SELECT")
"""Constants that functions go on with, and name the account."""


def _accountless(path: Path) -> dict[str, str]:
    """By the name of the function or constant: its statement without an account that doesn't say why."""
    found = {}
    for node in ast.parse(path.read_text()).body:
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if function and "Cross-account" in (ast.get_docstring(node) or ""):
            continue
        name = node.name if function else ast.unparse(node)[:40]
        for sql in _statements(node):
            # `row` has every column by its contract; `where` is made by `_where`, which begins with the account.
            named = ":account_id" in sql or "({names})" in sql or "WHERE {where}" in sql
            if not named and not name.startswith(BEGINNINGS):
                found[name] = sql
    return found


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_every_statement_names_its_account(path: Path) -> None:
    assert _accountless(path) == {}


def test_the_search_for_accounts_finds_one_that_is_missing(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text('async def f(db):\n    return await db.fetch_all(f"SELECT * FROM t WHERE {x}")\n')
    assert list(_accountless(bad)) == ["f"]


@pytest.mark.parametrize(
    ("count", "names"),
    [(0, []), (1, [1]), (2, [2]), (3, [4]), (5, [8]), (64, [64]), (65, [64, 1]), (200, [64, 64, 64, 8])],
)
def test_lists_are_short_and_fill_up_to_a_power_of_two(count: int, names: list[int]) -> None:
    made = list(in_lists(range(count)))
    assert [len(ids.values) for ids in made] == names
    assert [ids.names for ids in made] == [", ".join(f":{name}" for name in ids.values) for ids in made]
    values = [value for ids in made for value in ids.values.values()]
    assert list(dict.fromkeys(values)) == list(range(count))
