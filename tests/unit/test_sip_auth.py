"""Digests against the examples of the RFCs."""

from __future__ import annotations

import re

import pytest

from ringback.telephony.sip.auth import Challenge, Credentials, DigestSession
from ringback.telephony.sip.message import Headers, Request, Response
from ringback.telephony.sip.params import SipSyntaxError


def response_of(authorization: str) -> str:
    found = re.search(r'response="([0-9a-f]+)"', authorization)
    assert found
    return found[1]


def test_rfc_2617_section_3_5() -> None:
    challenge = Challenge.parse(
        'Digest realm="testrealm@host.com", qop="auth,auth-int", '
        'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    who = Credentials("Mufasa", "Circle Of Life")
    answer = challenge.authorization(who, "GET", "/dir/index.html", 1, "0a4f113b")
    assert response_of(answer) == "6629fae49393a05397450978507c4ef1"
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in answer
    assert "qop=auth, nc=00000001" in answer


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, expected: str) -> None:
    challenge = Challenge.parse(
        f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    who = Credentials("Mufasa", "Circle of Life")
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    answer = challenge.authorization(who, "GET", "/dir/index.html", 1, cnonce)
    assert response_of(answer) == expected


def test_without_qop_as_rfc_2069() -> None:
    challenge = Challenge.parse('Digest realm="r", nonce="n"')
    answer = challenge.authorization(Credentials("u", "p"), "BYE", "sip:h", 1, "c")
    # MD5(MD5("u:r:p"):"n":MD5("BYE:sip:h")), computed with md5sum
    assert response_of(answer) == "cf649068fcfdfec7b5ea6fa9808662d1"
    assert "qop" not in answer
    assert "cnonce" not in answer


@pytest.mark.parametrize(
    "text",
    [
        'Basic realm="r"',
        'Digest realm="r"',
        'Digest realm="r", nonce="n", algorithm=SHA-1',
        'Digest realm="r", nonce="n", qop="auth-int"',
        "",
    ],
)
def test_challenges_that_we_cannot_answer(text: str) -> None:
    with pytest.raises(SipSyntaxError):
        Challenge.parse(text)


def test_the_first_supported_challenge_is_taken() -> None:
    session = DigestSession(Credentials("u", "p"))
    challenged = Response(
        401,
        "Unauthorized",
        headers=Headers(
            [
                ("WWW-Authenticate", 'Digest realm="r", nonce="1", algorithm=SHA-512'),
                ("WWW-Authenticate", 'Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth"'),
                ("WWW-Authenticate", 'Digest realm="r", nonce="3", algorithm=MD5'),
            ]
        ),
    )
    assert session.learn(challenged, set())
    request = Request("INVITE", "sip:h")
    session.authorize(request)
    (answer,) = request.headers.all("Authorization")
    assert "algorithm=SHA-256" in answer
    assert 'nonce="2"' in answer


def test_a_nonce_is_counted_over_the_requests_of_a_call() -> None:
    session = DigestSession(Credentials("u", "p"))
    session.learn(
        Response(
            407, "", headers=Headers([("Proxy-Authenticate", 'Digest realm="r", nonce="1", qop="auth"')])
        ),
        set(),
    )
    counts = []
    for method in ("INVITE", "BYE"):
        request = Request(method, "sip:h")
        session.authorize(request)
        counts += re.findall(r"nc=(\d+)", request.headers.get("Proxy-Authorization") or "")
    assert counts == ["00000001", "00000002"]


def test_the_password_is_not_shown() -> None:
    assert "secret" not in repr(Credentials("joe", "secret"))
