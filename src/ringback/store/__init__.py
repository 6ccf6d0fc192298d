"""The database: one interface over SQLite and PostgreSQL, schema, migrations, SQL."""
