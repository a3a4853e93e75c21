"""Records which versions have opened a home, so that an older program refuses a home that a newer one changed.

When a program opens a home it records the versions of the streams and rollups that it declares. A program that
declares a lower version, or lacks a stream, would write files without the columns that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, inspect, select
from sqlalchemy.dialects import postgresql, sqlite

from airtally import __version__
from airtally.database import migrate
from airtally.database.tables import home
from airtally.kit.errors import NewerHome
from airtally.streams import ROLLUPS, STREAMS
from airtally.streams.evolution import SERVER_COLUMNS_VERSION

_MADE, _OPENED = "made by", "opened by"


class Store(Protocol):
    """The methods of the metadata store that this module uses."""

    @property
    def dialect(self) -> str: ...
    def begin(self) -> AbstractContextManager[Connection]: ...
    def read(self) -> AbstractContextManager[Connection]: ...


@dataclass(frozen=True, slots=True)
class Programs:
    """The program's version that made a home, and the last one that opened it."""

    made_by: str
    opened_by: str


def declared() -> dict[str, int]:
    """The versions of this program's streams, rollups and columns of the server."""
    streams = {f"stream {name}": stream.version for name, stream in STREAMS.items()}
    rollups = {f"rollup {name}": rollup.version for name, rollup in ROLLUPS.items()}
    return streams | rollups | {"columns of the server": SERVER_COLUMNS_VERSION}


def check(store: Store) -> None:
    """Raises NewerHome where a newer program has changed the home."""
    with store.read() as connection:
        _refuse(_noted(connection))


def revision(store: Store) -> str:
    """The revision of the store's tables, empty where there are none."""
    with store.read() as connection:
        return migrate.current(connection) or ""


def checked_versions(store: Store) -> dict[str, int]:
    """The versions of streams and rollups that were recorded in a home of this program or an earlier one.

    Raises NewerHome for that of a newer one.
    """
    with store.read() as connection:
        noted = _noted(connection) if inspect(connection).has_table(home.name) else {}
        found = migrate.current(connection)
    _refuse(noted)
    _refuse_revision(found)
    return {name: version for name, (version, _) in noted.items()}


def refuse_newer(program: str, revision_: str, versions: Mapping[str, int]) -> None:
    """Raises NewerHome where a home of these versions, which `program` made a backup of, is newer than this program."""
    _refuse({name: (version, program) for name, version in versions.items()})
    _refuse_revision(revision_)


def _refuse_revision(found: str | None) -> None:
    if found and found not in migrate.revisions():
        raise NewerHome(f"A newer Airtally has changed the metadata: they have revision {found}, not {migrate.HEAD}")


def enter(store: Store) -> None:
    """Record that this program works on the home. Raises NewerHome where a newer one has changed it."""
    with store.read() as connection:
        noted = _noted(connection)
    _refuse(noted)
    if changed := dict(_changes(noted)):
        with store.begin() as connection:
            _refuse(_noted(connection))
            insert = (postgresql if store.dialect == "postgresql" else sqlite).insert(home)
            for name, version in changed.items():
                row = {"name": name, "version": version, "program": __version__}
                insertion = insert.values(row)
                if name == _MADE:
                    connection.execute(insertion.on_conflict_do_nothing())
                else:
                    connection.execute(insertion.on_conflict_do_update(index_elements=["name"], set_=row))


def programs(store: Store) -> Programs:
    """The versions that `enter` recorded."""
    with store.read() as connection:
        noted = _noted(connection)
    return Programs(noted[_MADE][1], noted[_OPENED][1])


def _noted(connection: Connection) -> dict[str, tuple[int, str]]:
    return {row.name: (row.version, row.program) for row in connection.execute(select(home))}


def _changes(noted: Mapping[str, tuple[int, str]]) -> Iterator[tuple[str, int]]:
    if _MADE not in noted:
        yield _MADE, 0
    if noted.get(_OPENED, (0, ""))[1] != __version__:
        yield _OPENED, 0
    for name, version in declared().items():
        if noted.get(name, (0, ""))[0] != version:
            yield name, version


def _refuse(noted: Mapping[str, tuple[int, str]]) -> None:
    known = {_MADE: 0, _OPENED: 0, **declared()}
    for name, (version, program) in sorted(noted.items()):
        if version > known.get(name, -1):
            mine = f"version {known[name]}" if name in known else "no such thing"
            raise NewerHome(
                f"Airtally {program} has changed this home: {name} has version {version}, "
                f"Airtally {__version__} knows {mine}"
            )
