"""turns of accounts in the queues of jobs and of webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_turns",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("fk_job_turns_account_id")),
        sa.PrimaryKeyConstraint("kind", "account_id", name=op.f("pk_job_turns")),
    )
    op.create_index(
        op.f("ix_jobs_kind_state_account_id_run_at_id"), "jobs", ["kind", "state", "account_id", "run_at", "id"]
    )
    op.create_index(op.f("ix_deliveries_state_account_id_due_at"), "deliveries", ["state", "account_id", "due_at"])
