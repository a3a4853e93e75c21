"""ids without case fold the letters A to Z alone.

Until now the owners' index held ad group ids folded by Unicode's rules. Those with other letters are set aside
under a kind of their own: `ingest/refold.py` claims them anew, as their rows spell them, when the home is opened.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CHUNK = 500


def upgrade() -> None:
    owners = sa.table("owners", sa.column("kind", sa.Text), sa.column("external_id", sa.Text))
    connection = op.get_bind()
    found = connection.execute(sa.select(owners.c.external_id).where(owners.c.kind == "ad_group")).scalars()
    odd = [each for each in found if not each.isascii()]
    for start in range(0, len(odd), _CHUNK):
        chosen = (owners.c.kind == "ad_group", owners.c.external_id.in_(odd[start : start + _CHUNK]))
        connection.execute(sa.update(owners).where(*chosen).values(kind="ad_group_by_unicode"))
