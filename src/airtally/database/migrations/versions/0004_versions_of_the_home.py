"""which versions of the program a home has seen.

Until now a home did not say: one that has accounts already was made by 0.1.0, the only release before.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    home = op.create_table(
        "home",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("program", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_home")),
    )
    if op.get_bind().execute(sa.text("SELECT count(*) FROM accounts")).scalar_one():
        op.bulk_insert(home, [{"name": "made by", "version": 0, "program": "0.1.0"}])
