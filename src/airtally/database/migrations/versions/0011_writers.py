"""nodes are called writers, and their row is one of the table `writers`."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.rename_table("nodes", "writers")
    if op.get_bind().dialect.name == "postgresql":  # SQLite cannot rename a constraint, nor does anything ask for it
        op.execute("ALTER TABLE writers RENAME CONSTRAINT pk_nodes TO pk_writers")
