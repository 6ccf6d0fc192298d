"""What all tables share: their metadata, and the shapes of their constraints."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, MetaData

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

EXECUTION_STATUSES = (
    "prepared",
    "scheduled",
    "rescheduled",
    "queued",
    "initiated",
    "ringing",
    "in-progress",
    "call-disconnected",
    "completed",
    "no-answer",
    "busy",
    "failed",
    "canceled",
    "stopped",
    "error",
    "balance-low",
)
ATTEMPT_STATES = ("waiting", "claimed", "dialling", "live", "done", "unknown")


def one_of(column: str, values: tuple[str, ...]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def belongs_to(table: str, *columns: str) -> ForeignKeyConstraint:
    key = ("account_id",) if table == "accounts" else ("account_id", "id")
    return ForeignKeyConstraint(columns, [f"{table}.{name}" for name in key], ondelete="CASCADE")


def of_execution() -> ForeignKeyConstraint:
    return belongs_to("executions", "account_id", "execution_id")
