"""What receivers answered to the notices of reports."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("duration_us", sa.BigInteger(), nullable=True))
    op.add_column("deliveries", sa.Column("answer_headers", sa.Text(), nullable=True))
    op.add_column("deliveries", sa.Column("answer_body", sa.Text(), nullable=True))
