"""JSON as the database can hold it."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.agents.storable import read_json, storable, storable_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters()), inner),
)


@given(JSON)
def test_any_reader_can_read_it(value: object) -> None:
    written = json.dumps(storable(value), allow_nan=False, ensure_ascii=False)
    written.encode()
    assert "\\u0000" not in written.replace("\\\\", "")


@given(st.text())
def test_a_good_text_stays_as_it_is(text: str) -> None:
    assert storable_text(text.replace("\0", "")) == text.replace("\0", "")


@given(JSON)
def test_read_as_it_can_be_held(value: object) -> None:
    assert read_json(json.dumps(value)) == storable(value)
    good = storable(value)
    assert read_json(json.dumps(good, ensure_ascii=False)) == good


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "'a'"])
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


def test_what_cannot_be_held() -> None:
    assert storable({"a\0": ["\ud83d\0x", math.inf, {"b": math.nan}]}) == {"a": ["?x", None, {"b": None}]}
    assert storable_text("a\0b") == "ab"
