"""Requests of functions, from their definition and what they are called with."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ringback.agents.chat import ToolSpec
from ringback.agents.tools import HttpTool
from ringback.tools.request import request_of, webhook_of

GET = HttpTool(ToolSpec("slots", "", {}), "https://h/x", "GET")
POST = replace(GET, method="POST")
VARIABLES = {
    "execution_id": "e1",
    "agent_id": "a1",
    "call_sid": "c1",
    "from_number": "+1",
    "to_number": "+2",
    "name": "Ada & Bob",
}


@pytest.mark.parametrize(
    ("url", "param", "expected"),
    [
        ("https://h/x", None, "https://h/x?day=Monday&n=5"),
        ("https://h/x", {}, "https://h/x"),
        ("https://h/x?a=1", {"who": "%(name)s"}, "https://h/x?a=1&who=Ada+%26+Bob"),
        ("https://h/x#top", {"n": "%(n)i"}, "https://h/x?n=5#top"),
        ("https://h/%(day)s/%20?w=%(name)s", {}, "https://h/Monday/%20?w=Ada%20%26%20Bob"),
        ("https://%(day)s.example/", {}, "https://Monday.example/"),
        (
            "https://h/x",
            '{"n": %(n)i, "l": [1, "a"], "b": true, "z": null}',
            "https://h/x?n=5&l=%5B1%2C+%22a%22%5D&b=true&z=",
        ),
        ("https://h/x", {"gone": "%(gone)s", "n": "%(n)s"}, "https://h/x?n=5"),
    ],
)
def test_get(url: str, param: Any, expected: str) -> None:
    request = request_of(replace(GET, url=url, param=param), {"day": "Monday", "n": 5}, VARIABLES)
    assert (request.method, request.url, request.body) == ("GET", expected, None)


@pytest.mark.parametrize(
    "evil", ["../admin", "a/b?c=d#e", "x@evil.example", "\\", "\r\nHost: evil", "%2e%2e/"]
)
def test_what_a_person_says_stays_inside_its_place(evil: str) -> None:
    request = request_of(replace(GET, url="https://h/%(day)s/x", param={}), {"day": evil}, {})
    assert request.url.startswith("https://h/")
    assert request.url.endswith("/x")
    assert not set("?#@\\\r\n ") & set(request.url)
    assert request.url.count("/") == 4


@pytest.mark.parametrize(
    ("param", "expected"),
    [
        (None, {"day": "Monday", "n": 5}),
        (
            {"who": "%(name)s", "deep": [{"day": "%(day)s"}]},
            {"who": "Ada & Bob", "deep": [{"day": "Monday"}]},
        ),
        ('{"n": %(n)i, "text": "%(n)i"}', {"n": 5, "text": "5"}),
    ],
)
def test_post(param: Any, expected: Any) -> None:
    request = request_of(replace(POST, param=param), {"day": "Monday", "n": 5}, VARIABLES)
    assert request.body is not None
    assert (request.method, request.url, json.loads(request.body)) == ("POST", "https://h/x", expected)
    assert request.headers["Content-Type"] == "application/json"


def test_a_form() -> None:
    form = replace(POST, headers={"content-type": "application/x-www-form-urlencoded; charset=utf-8"})
    assert request_of(form, {"day": "Mon & Tue", "n": 5}, {}).body == b"day=Mon+%26+Tue&n=5"


def test_an_argument_wins_over_a_variable() -> None:
    request = request_of(replace(GET, param={"a": "%(name)s"}), {"name": "Eve"}, VARIABLES)
    assert request.url.endswith("?a=Eve")


@pytest.mark.parametrize(
    ("token", "headers", "expected"),
    [
        ("tok", {}, "tok"),
        ("Bearer tok", {}, "Bearer tok"),
        ("Bearer %(name)s", {}, "Bearer Ada & Bob"),
        ("tok", {"authorization": "Basic x"}, None),
        ("", {}, None),
    ],
)
def test_the_token_is_the_authorization_as_it_stands(
    token: str, headers: dict[str, str], expected: str | None
) -> None:
    request = request_of(replace(GET, api_token=token, headers=headers), {}, VARIABLES)
    assert request.headers.get("Authorization") == expected


def test_headers_are_filled() -> None:
    request = request_of(replace(GET, headers={"X-Who": "<%(name)s>", "accept": "text/csv"}), {}, VARIABLES)
    assert request.headers == {"X-Who": "<Ada & Bob>", "accept": "text/csv"}


def test_the_webhook_is_told_of_the_call() -> None:
    tool = replace(GET, webhook_url="https://hook/", webhook_param={"day": "%(day)s", "status": "asking"})
    request = webhook_of(tool, {"day": "Monday"}, VARIABLES)
    assert request.body is not None
    assert (request.method, request.url) == ("POST", "https://hook/")
    assert json.loads(request.body) == {
        "id": "e1",
        "execution_id": "e1",
        "agent_id": "a1",
        "status": "asking",
        "telephony_data": {"provider_call_id": "c1", "from_number": "+1", "to_number": "+2"},
        "day": "Monday",
    }
