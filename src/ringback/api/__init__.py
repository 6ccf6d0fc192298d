"""The HTTP edge: a file a resource (contract: Bolna-compatible)."""
