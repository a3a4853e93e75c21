"""What an account's stream received since a moment: asked often and cheaply, of what is new alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp

from airtally.engine.protocol import Engine
from airtally.kit.time import to_datetime
from airtally.sql.compiler import as_type, column, micros
from airtally.sql.statement import Rows, Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.storage.store import EventStore
from airtally.streams.declaration import ACCOUNT, RECEIVED_AT, SEQUENCE, WRITER_ID, Stream

#: More writers than that have rows of one minute only where files are loaded in great number.
_MOST_WRITERS = 1000


@dataclass(frozen=True, slots=True)
class LastRows:
    """The last rows received after a moment. `positions`: the last sequence of each writer that has some.

    `received_us`: when the last of them was received, None without any. All rows received by `through_us` are in.
    """

    positions: Mapping[str, int]
    received_us: int | None
    through_us: int

    def is_newer_than(self, positions: Mapping[str, int]) -> bool:
        """Whether a row came since `positions` were found, whatever became of the clocks: sequences only increase."""
        return any(sequence > positions.get(writer, -1) for writer, sequence in self.positions.items())


class RowWatch:
    """Reads only files that, by the statistics of the lake's log, have a row received after the moment. Thread-safe."""

    def __init__(self, event_store: EventStore, engine: Engine) -> None:
        self._event_store = event_store
        self._engine = engine

    def after(self, stream: Stream, account: str, moment_us: int) -> LastRows:
        """The last rows received after `moment_us`. Raises what the engine raises."""
        snapshot = self._event_store.snapshot(stream, account, received_us=moment_us)
        found = [_buffered(snapshot, moment_us), *self._stored(snapshot, moment_us)]
        rows = [row for table in found for row in table.to_pylist()]
        positions: dict[str, int] = {}
        for row in rows:
            positions[row["writer"]] = max(row["sequence"], positions.get(row["writer"], -1))
        return LastRows(positions, max((row["received"] for row in rows), default=None), snapshot.data_through_us)

    def _stored(self, snapshot: Snapshot, moment_us: int) -> list[pa.Table]:
        files = snapshot.compacted + snapshot.uncompacted
        if not files:
            return []
        moment = as_type(exp.Placeholder(this="moment"), exp.DType.TIMESTAMPTZ)
        writer, received = column(WRITER_ID.name), micros(RECEIVED_AT.name)
        tree = (
            exp.select(writer.as_("writer"), exp.Max(this=column(SEQUENCE.name)).as_("sequence"))
            .select(exp.Max(this=received).as_("received"))
            .from_(exp.to_table("rows"))
            .where(exp.GT(this=column(RECEIVED_AT.name), expression=moment))
            .group_by(writer.copy())
            .order_by(exp.Ordered(this=column("received"), desc=True))
            .limit(_MOST_WRITERS)
        )
        said = {"moment": to_datetime(moment_us).isoformat(" ", "microseconds")}
        key = ("last_rows", snapshot.stream.name)
        return [self._engine.query(Statement(tree, {"rows": Rows(snapshot, files, ())}, said, key=key))]


def _buffered(snapshot: Snapshot, moment_us: int) -> pa.Table:
    names = ["writer", "sequence", "received"]
    found = []
    for rows in snapshot.buffered:
        received = rows.column(RECEIVED_AT.name).cast(pa.int64())
        own = pc.equal(rows.column(ACCOUNT.name), snapshot.account)
        columns = [rows.column(WRITER_ID.name), rows.column(SEQUENCE.name), received]
        found.append(pa.table(columns, names=names).filter(pc.and_(own, pc.greater(received, moment_us))))
    if not found:
        return pa.table({name: [] for name in names})
    grouped = pa.concat_tables(found).group_by("writer").aggregate([("sequence", "max"), ("received", "max")])
    return pa.table([grouped["writer"], grouped["sequence_max"], grouped["received_max"]], names=names)
