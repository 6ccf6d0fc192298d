"""The stages of the work after a call, dispositions and extraction templates."""

from __future__ import annotations
