"""Settings: environment over file, and errors that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringback.app.settings import Settings, SettingsError, load
from ringback.cli.settings import documented


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, _ in documented(Settings):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("RINGBACK_CONFIG", raising=False)


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_text('port = 9000\n[trunk]\nhost = "sip.example.net"\nport = 5070\n')
    monkeypatch.setenv("RINGBACK_TRUNK__PORT", "5071")
    settings = load()
    assert (settings.port, settings.trunk.host, settings.trunk.port) == (9000, "sip.example.net", 5071)


def test_every_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_PORT", "70000")
    monkeypatch.setenv("RINGBACK_TRUNK__RING_TIMEOUT_S", "never")
    with pytest.raises(SettingsError, match=r"(?s)port: .*trunk\.ring_timeout_s: "):
        load()


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd"])
def test_the_time_zone_of_unknown_numbers_must_be_one(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("RINGBACK_DIALLING__UNKNOWN_TIMEZONE", name)
    with pytest.raises(SettingsError, match=r"dialling\.unknown_timezone: .*is no IANA time zone"):
        load()


@pytest.mark.parametrize("text", ["colour = 1", "[trunk]\nhots = 'x'", "port = "])
def test_a_file_with_an_unknown_name_or_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "ringback.toml").write_text(text)
    with pytest.raises(SettingsError):
        load()


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_CONFIG", "elsewhere.toml")
    with pytest.raises(SettingsError, match=r"elsewhere\.toml"):
        load()


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGBACK_TRUNK__PASSWORD", "hunter2")
    monkeypatch.setenv("RINGBACK_LLM__API_KEY", "hunter2")
    monkeypatch.setenv("RINGBACK_DATABASE_URL", "postgresql://me:hunter2@db/ringback")
    settings = load()
    assert "hunter2" not in repr(settings)
    assert settings.store_url == "postgresql://me:hunter2@db/ringback"


def test_every_setting_says_what_it_is() -> None:
    undocumented = [name for name, field in documented(Settings) if not field.description]
    assert undocumented == []
