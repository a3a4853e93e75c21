"""publications say offsets, consumed files and slot."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_RENAMED = {"turn_at": "slot_at", "marks": "offsets", "covered": "consumed_files"}


def upgrade() -> None:
    """By SQL that SQLite and PostgreSQL share: Alembic's `alter_column` would copy the whole table on SQLite."""
    for old, new in _RENAMED.items():
        op.execute(f"ALTER TABLE publications RENAME COLUMN {old} TO {new}")
