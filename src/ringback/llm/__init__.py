"""Language models: a file a protocol."""
