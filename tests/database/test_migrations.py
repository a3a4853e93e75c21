from __future__ import annotations

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from airtally.database import migrate
from airtally.database.store import MetadataStore
from airtally.database.tables import metadata as declared

FOLDER = Path(migrate.__file__).parent / "migrations"


def test_the_migrations_lead_to_the_declared_tables(metadata: MetadataStore) -> None:
    with metadata.begin() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, declared) == []


def test_every_declared_index_and_constraint_is_there(metadata: MetadataStore) -> None:
    with metadata.read() as connection:
        found = inspect(connection)
        for table in declared.tables.values():
            assert {each["name"] for each in found.get_indexes(table.name)} >= {each.name for each in table.indexes}
            assert found.get_pk_constraint(table.name)["constrained_columns"] == [
                column.name for column in table.primary_key.columns
            ]


def test_the_newest_revision_is_named() -> None:
    script = ScriptDirectory(str(FOLDER))
    assert script.get_heads() == [migrate.HEAD]
