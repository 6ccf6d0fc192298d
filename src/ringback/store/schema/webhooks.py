"""Where webhooks go, and which are to be delivered."""

from __future__ import annotations
