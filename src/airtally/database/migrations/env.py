"""Run by Alembic with the connection that `database.migrate` hands over."""

from __future__ import annotations

from alembic import context

from airtally.database.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
