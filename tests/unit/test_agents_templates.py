"""Places in the requests of functions."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.agents.templates import TemplateError, fill_object, fill_text, read

VALUES = {"s": "Ada", "n": "5", "i": 7, "f": 1.5, "list": ["a", 1], "yes": True, "none": None, "q": 'a"b\\'}


@pytest.mark.parametrize(
    ("param", "filled"),
    [
        ({"a": "%(s)s"}, {"a": "Ada"}),
        ({"a": "Hi %(s)s!", "b": 3, "c": None}, {"a": "Hi Ada!", "b": 3, "c": None}),
        # In quotes it stays a text, whatever it is.
        ({"a": "%(n)i", "b": "%(i)s", "c": "%(yes)s"}, {"a": "5", "b": "7", "c": "true"}),
        ({"a": ["%(s)s", {"b": "%(i)i"}]}, {"a": ["Ada", {"b": "7"}]}),
        ({"a": "%(list)s"}, {"a": '["a", 1]'}),
        ({"a": {"$var": "list"}, "b": {"$var": "i"}}, {"a": ["a", 1], "b": 7}),
        ({"a": {"$var": "list", "more": 1}}, {"a": {"$var": "list", "more": 1}}),
        (
            {"a": "100 %", "b": "%s", "c": "%(s", "d": "%(s)x"},
            {"a": "100 %", "b": "%s", "c": "%(s", "d": "%(s)x"},
        ),
        # Missing
        ({"a": "%(x)s", "b": 1}, {"b": 1}),
        ({"a": "Hi %(x)s!"}, {"a": "Hi !"}),
        ({"a": ["%(x)s", "b"], "c": {"$var": "x"}}, {"a": ["b"]}),
        ({"a": "%(none)s"}, {"a": ""}),
        # JSON texts
        ('{"a": "%(s)s"}', {"a": "Ada"}),
        ('{"n": %(n)i, "i": %(i)i, "f": %(f)f, "s": %(s)s}', {"n": 5, "i": 7, "f": 1.5, "s": "Ada"}),
        (
            '{"list": %(list)s, "yes": %(yes)s, "none": %(none)s}',
            {"list": ["a", 1], "yes": True, "none": None},
        ),
        ('{"a": [%(i)i, %(x)i], "b": %(x)s}', {"a": [7]}),
        ('{"a": "\\"%(s)s\\" %(i)i", "b": %(i)i}', {"a": '"Ada" 7', "b": 7}),
        ('{"a": "50%% of %(i)i"}', {"a": "50% of 7"}),
        ({"a": "100%%", "b": "%%(s)s"}, {"a": "100%", "b": "%(s)s"}),
        ('{"n": %(s)i}', {"n": "Ada"}),
        # What is filled in stays one value.
        ('{"a": "%(q)s", "b": %(q)s}', {"a": 'a"b\\', "b": 'a"b\\'}),
        ("  ", None),
        ("{}", {}),
    ],
)
def test_filled(param: Any, filled: Any) -> None:
    template = read(param)
    assert (None if template is None else fill_object(template, VALUES)) == filled


@pytest.mark.parametrize("text", ["{", "[]", '"a"', "5", "%(x)s", '{"a": %(x)}', "{'a': 1}", '{"a": %(x)q}'])
def test_no_json_object(text: str) -> None:
    with pytest.raises(TemplateError, match="JSON text"):
        read(text)


def test_a_string_that_does_not_end_takes_no_longer_than_one_that_does() -> None:
    with pytest.raises(TemplateError):
        read('{"a": "' + '\\"' * 500_000)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x)))
def test_no_value_breaks_out_of_its_place(value: Any) -> None:
    template = read('{"a": "%(v)s", "b": %(v)s, "c": "x"}')
    assert template is not None
    filled = fill_object(template, {"v": value})
    assert set(filled) == {"a", "b", "c"}
    assert filled["b"] == value
    assert json.loads(json.dumps(filled)) == filled


@given(st.text())
def test_a_text_in_a_url_is_encoded(value: str) -> None:
    url = fill_text(
        "http://h/%20/%(v)s?x=%(v)s", {"v": value}, lambda text: quote(text, safe="", errors="replace")
    )
    assert url.count("/") == 4
    assert url.count("?") == 1
    assert "%20" in url
    assert url.isascii()
