"""Executions as files: CSV, NDJSON, Parquet."""
