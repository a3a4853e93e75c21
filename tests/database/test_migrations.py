from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, create_engine, insert, inspect, select

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


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A store without any table."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.sqlite'}"
    return str(request.getfixturevalue("empty_postgres_url")).replace("postgresql://", "postgresql+psycopg://")


def test_keys_of_before_have_no_name(empty_url: str) -> None:
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0020")
        old = MetaData()
        old.reflect(connection)
        acme = {"id": 1, "slug": "acme", "name": "A", "timezone": "UTC", "currency": "USD", "created_at": 1}
        connection.execute(insert(old.tables["accounts"]).values(acme))
        texts = dict.fromkeys(("kind", "lookup_hash", "hint", "scopes", "details"), "x")
        connection.execute(insert(old.tables["keys"]).values({"id": 1, "account_id": 1, "created_at": 1} | texts))
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(select(declared.tables["keys"].c["id", "name"])).all() == [(1, None)]
    engine.dispose()


def test_publications_keep_their_values_under_new_names(empty_url: str) -> None:
    engine = create_engine(empty_url)
    with engine.begin() as connection:
        command.upgrade(migrate._config(connection), "0008")
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET session_replication_role = replica")  # without the dataset that it is of
        old = Table("publications", MetaData(), autoload_with=connection)
        values = {"dataset_id": 1, "turn_at": 7, "marks": '{"w":3}', "covered": '["a.parquet"]', "updated_at": 9}
        connection.execute(insert(old).values(values))
    migrate.upgrade(engine)
    with engine.connect() as connection:
        assert connection.execute(select(declared.tables["publications"])).one()._asdict() == {
            "dataset_id": 1,
            "slot_at": 7,
            "offsets": '{"w":3}',
            "consumed_files": '["a.parquet"]',
            "stamp": None,
            "noticed_at": None,
            "updated_at": 9,
        }
    engine.dispose()
