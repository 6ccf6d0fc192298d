"""Prices, wallets and what is entered in them."""

from __future__ import annotations
