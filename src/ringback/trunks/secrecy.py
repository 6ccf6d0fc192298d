"""Passwords at rest: encrypted by a key that the database never sees (Fernet: AES-128-CBC, HMAC-SHA256)."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_NAME: Final = "secret.key"
_HOW: Final = "make one with `openssl rand -base64 32`"


class SecrecyError(Exception):
    """A key that cannot be used, or that does not open what is kept; the message says which, and what to do."""


class Secrecy:
    """Seals and opens passwords."""

    def __init__(self, keys: list[bytes], where: str) -> None:
        """Use `of_key` or `of_folder`; `where`: where the keys come from, for messages."""
        self._keys = MultiFernet([Fernet(key) for key in keys])
        self._where = where

    @classmethod
    def of_key(cls, text: str) -> Secrecy:
        """Keys of 32 bytes in base64, separated by commas: the first seals, each of them opens. Raises SecrecyError."""
        return cls(
            [_key(part.strip(), "RINGBACK_SECRET_KEY") for part in text.split(",")], "RINGBACK_SECRET_KEY"
        )

    @classmethod
    def of_folder(cls, folder: Path) -> Secrecy:
        """The key in this folder, made where there is none; only its owner may read it. Raises SecrecyError."""
        path = folder / _NAME
        try:
            return cls([_key(_read_or_make(path), str(path))], str(path))
        except OSError as error:
            raise SecrecyError(f"The key {path} cannot be used: {error.strerror}") from None

    def seal(self, secret: str) -> str:
        return self._keys.encrypt(secret.encode()).decode()

    def open(self, sealed: str, whose: str) -> str:
        """Raises SecrecyError where it was sealed with another key; `whose` secret it is, for the message."""
        try:
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise SecrecyError(
                f"The password of {whose} was encrypted with another key than that of {self._where}. Set"
                " RINGBACK_SECRET_KEY to the key it was encrypted with (every machine needs the same one), or enter the"
                " password again"
            ) from None


def _key(text: str, where: str) -> bytes:
    try:
        raw = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32:
        raise SecrecyError(f"{where} holds no key: it must be 32 bytes in base64; {_HOW}")
    return base64.urlsafe_b64encode(raw)


def _read_or_make(path: Path) -> str:
    """Of several processes that begin at once, one makes it: the link is there, whole, or it is not."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{_NAME}.{os.getpid()}")
        descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(Fernet.generate_key().decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(made, path)
        except FileExistsError:
            pass
        finally:
            made.unlink()
    return path.read_text().strip()
