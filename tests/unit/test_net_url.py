"""URLs of users, taken apart."""

from __future__ import annotations

import pytest

from ringback.net.url import BadUrl, Target, target_of


@pytest.mark.parametrize(
    ("url", "target", "authority"),
    [
        ("http://h", Target("http", "h", 80, "/"), "h"),
        ("HTTPS://Api.Example.com/a/b?x=1#y", Target("https", "api.example.com", 443, "/a/b?x=1"), None),
        ("http://h:8080/x", Target("http", "h", 8080, "/x"), "h:8080"),
        ("https://h:80", Target("https", "h", 80, "/"), "h:80"),
        ("http://[::1]:81/", Target("http", "::1", 81, "/"), "[::1]:81"),
        ("http://[2606:4700::1]/", Target("http", "2606:4700::1", 80, "/"), "[2606:4700::1]"),
        (
            "http://bücher.example/ä?ö=ü",
            Target("http", "xn--bcher-kva.example", 80, "/%C3%A4?%C3%B6=%C3%BC"),
            None,
        ),
        ("http://h/%2F?q=%26", Target("http", "h", 80, "/%2F?q=%26"), "h"),
        ("http://h?x=1", Target("http", "h", 80, "/?x=1"), "h"),
        ("http://h/a?b=c?d", Target("http", "h", 80, "/a?b=c?d"), "h"),
        # Other spellings of 127.0.0.1 are the resolver's business; none escapes it.
        ("http://0x7f.1/", Target("http", "0x7f.1", 80, "/"), "0x7f.1"),
        ("http://１２７.0.0.1/", Target("http", "127.0.0.1", 80, "/"), "127.0.0.1"),
        ("http://ⓛocalhost/", Target("http", "localhost", 80, "/"), "localhost"),
    ],
)
def test_taken_apart(url: str, target: Target, authority: str | None) -> None:
    found = target_of(url)
    assert found == target
    assert found.authority == (authority or target.host)
    assert found.path.isascii()


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://h/", "http"),
        ("file:///etc/passwd", "http"),
        ("//h/x", "http"),
        ("h/x", "http"),
        ("", "http"),
        ("http://", "no host"),
        ("http:///x", "no host"),
        ("http://user@h/", "user name"),
        ("http://user:secret@h/", "user name"),
        ("http://good.example@evil.example/", "user name"),
        ("http://good.example\\@evil.example/", "backslash"),
        ("http://h/ x", "white space"),
        ("http://h/\r\nX: y", "white space"),
        ("http://h\x00.example/", "control"),
        ("http://h%00.example/", "no host"),
        ("http://[fe80::1%25eth0]/", "no host|read"),
        ("http://h:99999/", "read"),
        ("http://h:x/", "read"),
        ("http://[::1/", "read"),
        ("http://h/" + "x" * 9000, "longer"),
        ("http://" + "ä" * 300 + ".example/", "no host"),
    ],
)
def test_refused_in_a_sentence_without_the_url(url: str, why: str) -> None:
    with pytest.raises(BadUrl, match=why) as raised:
        target_of(url)
    assert "secret" not in str(raised.value)
    assert "example" not in str(raised.value)
