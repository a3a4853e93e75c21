"""Upgrades the metadata store's tables by the revisions in `migrations/`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text

from airtally.kit.errors import NewerHome

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"

#: The newest revision: a store that has it is opened without loading Alembic.
HEAD = "0024"

#: PostgreSQL's advisory lock that lets one process at a time change the tables ("airtally" in ASCII).
_LOCK = 0x61697274616C6C79


def upgrade(engine: Engine) -> None:
    """Run the missing revisions in one transaction; processes that start together wait for one another.

    Raises NewerHome for tables that a newer program has changed.
    """
    with engine.connect() as connection:
        if current(connection) == HEAD:
            return
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = current(connection)
        if found is not None and found not in revisions():
            raise NewerHome(f"A newer Airtally has changed the metadata store: it has revision {found}, not {HEAD}")
        if found != HEAD:
            _run(connection)


def revisions() -> set[str]:
    """The revisions that this program knows."""
    return {path.name.partition("_")[0] for path in (_FOLDER / "versions").glob("[0-9]*.py")}


def current(connection: Connection) -> str | None:
    """The store's revision, None for an empty store."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def draft(connection: Connection, revision: str, message: str) -> None:
    """Write a revision file with the differences between the last revision and the declared tables."""
    from alembic import command  # noqa: PLC0415 (loaded only when needed: it is big)

    command.upgrade(_config(connection), "head")
    command.revision(_config(connection), message, autogenerate=True, rev_id=revision)


def _run(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415 (loaded only when needed: it is big)

    command.upgrade(_config(connection), "head")


def _config(connection: Connection) -> Config:
    from alembic.config import Config  # noqa: PLC0415 (loaded only when needed: it is big)

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
