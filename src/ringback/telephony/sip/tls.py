"""Certificates: ours for whoever calls us by TLS, and how those of others are judged."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files; all optional."""

    certificate: Path | None = None
    """Our certificate with its chain. Without it nobody can reach us by TLS; we can reach others."""
    key: Path | None = None
    """Its key; None if it stands in the same file."""
    authorities: Path | None = None
    """Certificates of authorities that are trusted besides those of the system."""

    def client(self) -> ssl.SSLContext:
        """For connections of ours. Raises ValueError that names the file."""
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        _harden(context)
        if self.authorities is not None:
            try:
                context.load_verify_locations(self.authorities)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(
                    f"SIP TLS: {self.authorities} holds no certificates ({_why(error)})"
                ) from error
        self._load_own(context)
        return context

    def server(self) -> ssl.SSLContext | None:
        """For connections to us; None without a certificate. Raises ValueError that names the file."""
        if self.certificate is None:
            return None
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        _harden(context)
        self._load_own(context)
        return context

    def _load_own(self, context: ssl.SSLContext) -> None:
        if self.certificate is None:
            return
        try:
            context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(
                f"SIP TLS: {self.certificate} and its key cannot be used ({_why(error)})"
            ) from error


def _harden(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2


def _why(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or type(error).__name__)
