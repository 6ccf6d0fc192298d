"""Run by Alembic, on the connection that `ringback.store.migrate` opened."""

from __future__ import annotations

from alembic import context

from ringback.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can't alter a table: Alembic copies it instead.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
