"""what files held up to where they were loaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "file_marks",
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("app_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("begins_at", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("tail", sa.Text(), nullable=True),
        sa.Column("tail_at", sa.BigInteger(), nullable=False),
        sa.Column("tail_line", sa.BigInteger(), nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_file_marks_account_id")),
        sa.PrimaryKeyConstraint("account_id", "stream", "app_id", "position", name=op.f("pk_file_marks")),
    )
    op.create_index(op.f("ix_file_marks_account_id_stream_name"), "file_marks", ["account_id", "stream", "name"])
    op.create_index(op.f("ix_file_marks_account_id_stream_digest"), "file_marks", ["account_id", "stream", "digest"])
