"""Webhooks: the outbox delivered, signed, in order."""
