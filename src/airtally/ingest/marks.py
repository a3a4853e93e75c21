"""Marks of how much of which files was loaded, so that only the rest of a grown file is loaded.

The lake alone says how far a file was loaded (the version of its application transaction); a mark says what the file
held up to there. A mark is written before the rows of its chunk are committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, or_, select, update

from airtally.accounts.accounts import Account
from airtally.database.store import MetadataStore
from airtally.database.tables import file_marks
from airtally.kit.clock import Clock
from airtally.streams.declaration import Stream

_CHUNK = 500


class LastLine(StrEnum):
    """What became of a last line (or CSV record) that may be continued when the file grows."""

    TAKEN = "taken"
    REFUSED = "refused"
    OPEN_QUOTE = "open quote"  # refused, and may be continued even after a line end


@dataclass(frozen=True, slots=True)
class Mark:
    """`app_id` identifies the file in the lake. Rows were read from `begins_at` to `position`, and `rows` of them
    accepted.

    `tail` is None if `position` is the end of a line; else `tail_at` is where that line or record begins and
    `tail_line` its number.
    """

    app_id: str
    position: int
    begins_at: int
    digest: str
    rows: int
    tail: LastLine | None = None
    tail_at: int = 0
    tail_line: int = 0


class FileMarks:
    """Marks in the metadata store. Every call takes account and stream, and sees no others. Thread-safe: no state."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def named(self, account: Account, stream: Stream, name: str) -> list[Mark]:
        """Those of the files that had a name (unpacked)."""
        return self._found(account, stream, file_marks.c.name == name)

    def holding(self, account: Account, stream: Stream, digest: str) -> list[Mark]:
        """Those with a content."""
        return self._found(account, stream, file_marks.c.digest == digest)

    def of_files(self, account: Account, stream: Stream, app_ids: Iterable[str]) -> list[Mark]:
        ids = sorted(set(app_ids))
        parts = (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))
        return [mark for part in parts for mark in self._found(account, stream, file_marks.c.app_id.in_(part))]

    def note(self, account: Account, stream: Stream, name: str, mark: Mark) -> None:
        """Note a mark, before its rows are committed.

        Marks after the beginning of its rows are deleted: they are outdated.
        """
        values = {
            "account_id": account.id,
            "stream": stream.name,
            "name": name,
            "app_id": mark.app_id,
            "position": mark.position,
            "begins_at": mark.begins_at,
            "digest": mark.digest,
            "rows": mark.rows,
            "tail": mark.tail,
            "tail_at": mark.tail_at,
            "tail_line": mark.tail_line,
            "whole": False,
            "noted_at": self._clock.now_us(),
        }
        mine = (*_of(account, stream), file_marks.c.app_id == mark.app_id)
        with self._store.begin() as connection:
            overtaken = or_(file_marks.c.position > mark.begins_at, file_marks.c.position == mark.position)
            connection.execute(delete(file_marks).where(*mine, overtaken))
            connection.execute(insert(file_marks).values(values))

    def end(self, account: Account, stream: Stream, app_id: str, position: int) -> None:
        """Note that a file was loaded to its end.

        Marks on the way are deleted, except of chunks without an accepted row.
        """
        mine = (*_of(account, stream), file_marks.c.app_id == app_id)
        with self._store.begin() as connection:
            connection.execute(update(file_marks).where(*mine, file_marks.c.position == position).values(whole=True))
            on_the_way = (file_marks.c.whole.is_(False), file_marks.c.rows > 0)
            connection.execute(delete(file_marks).where(*mine, *on_the_way))

    def _found(self, account: Account, stream: Stream, which: ColumnElement[bool]) -> list[Mark]:
        columns = (file_marks.c[name] for name in Mark.__slots__)
        query = select(*columns).where(*_of(account, stream), which).order_by(file_marks.c.position)
        with self._store.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [Mark(**{**row, "tail": None if row["tail"] is None else LastLine(row["tail"])}) for row in rows]


def reached(committed: int | None, marks: Iterable[Mark]) -> int:
    """How far a file was loaded: as the lake says, and the chunks after that without an accepted row."""
    position = committed or 0
    for mark in marks:
        if mark.begins_at == position and not mark.rows:
            position = mark.position
    return position


def _of(account: Account, stream: Stream) -> tuple[Any, ...]:
    return (file_marks.c.account_id == account.id, file_marks.c.stream == stream.name)
