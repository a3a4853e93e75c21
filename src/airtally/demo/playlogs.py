"""Generates the playlogs of a network, as NDJSON or as Arrow tables, in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from math import ceil
from pathlib import Path

import duckdb
import pyarrow as pa
from isal import igzip

from airtally.demo.network import Network, build
from airtally.demo.uploads import DAY_SECONDS, DemoDays, Upload, uploads
from airtally.demo.venues import BRAZIL, VenuePlace
from airtally.streams.playlogs import PLAYLOGS

CHUNK_ROWS = 200_000
_ROWS_A_PLAYER_DAY = 2_450  # of a player, those before it is installed among them; gives the number of players

# A play starts up to three seconds late, as a player takes its time to load a media.
_PLAYS = """
    SELECT upload.*, slots.* EXCLUDE (loop), lap,
        least(
            upload.opens + lap * upload.lap_seconds + slots.start_share * upload.lap_seconds // 1000000
                + (upload.player_id * 7919 + lap * 104729 + slots.slot * 1299709) % 1009 % 4,
            upload.closes - 1
        ) AS second
    FROM (SELECT *, unnest(range(first_lap, first_lap + laps)) AS lap FROM uploads) AS upload
    JOIN slots USING (loop)
"""
_LINES = f"""
    SELECT head || {{number}} || middle || clock.text || ending || tail AS line
    FROM ({_PLAYS}) JOIN clock USING (second)
    ORDER BY position, lap, slot
"""  # noqa: S608 (no value from outside)
_TABLE = f"""
    SELECT player_id, make_timestamp((midnight + second) * 1000000) AS played_at,
        CASE WHEN id_head IS NOT NULL THEN id_head || (lap * slots + slot) END AS id,
        media_id, 'I' AS type, ip, seconds::DOUBLE AS duration_seconds
    FROM ({_PLAYS})
    ORDER BY position, lap, slot
"""  # noqa: S608 (no value from outside)


@dataclass(frozen=True)
class Playlogs:
    """The playlogs of a network's players. The same fields give the same rows, byte for byte.

    There are exactly `rows` rows, repeats included (None: as many as the players play): laps become longer if there
    are too many players, and `players` None takes as many players as needed. Without `ids` no row has an `id` and
    no upload is sent twice, as repeats could not be recognized.
    """

    seed: int = 1
    days: int = 31
    end_day: date = date(2026, 10, 31)
    players: int | None = None
    rows: int | None = 2_000_000
    ids: bool = True
    now: datetime | None = None
    place: VenuePlace = BRAZIL

    @cached_property
    def network(self) -> Network:
        wanted = self.players or max(2, ceil((self.rows or 1_000_000) / self.days / _ROWS_A_PLAYER_DAY))
        return build(self.seed, wanted, self.place)

    @cached_property
    def uploads(self) -> list[Upload]:
        """All uploads in order of arrival. Raises ValueError if `players` cannot play `rows` times in `days` days."""
        usual = self._uploads(1.0)
        if self.rows is None:
            return usual
        stretch = _count_rows(usual) / self.rows
        if stretch < 1:
            count = len(self.network.players)
            raise ValueError(f"{count} players play {_count_rows(usual)} times in {self.days} days, not {self.rows}")
        while stretch > 1:
            found = self._uploads(stretch)
            if _count_rows(found) >= self.rows:
                return found
            stretch *= min(0.999, _count_rows(found) / self.rows)
        return usual

    @property
    def total(self) -> int:
        """The number of rows, repeats included."""
        return min(_count_rows(self.uploads), self.rows or _count_rows(self.uploads))

    def lines(self, chunk_rows: int = CHUNK_ROWS) -> Iterator[memoryview]:
        """NDJSON in chunks of about `chunk_rows` whole lines."""
        number = "(lap * slots + slot)" if self.ids else "''"
        for table in self._chunks(_LINES.format(number=number), chunk_rows):
            for piece in table.column("line").cast(pa.large_string()).chunks:
                yield _text_of_lines(piece)

    def tables(self, chunk_rows: int = CHUNK_ROWS) -> Iterator[pa.Table]:
        """Tables of the stream's row schema, about `chunk_rows` rows each."""
        for table in self._chunks(_TABLE, chunk_rows):
            columns = [_as_type(table.column(field.name), field.type) for field in PLAYLOGS.row_schema]
            yield pa.Table.from_arrays(columns, schema=PLAYLOGS.row_schema)

    def write(self, path: Path) -> int:
        """Write NDJSON to a file, gzipped if its name ends in .gz. Returns the number of rows."""
        with path.open("wb") as file:
            if path.suffix != ".gz":
                file.writelines(self.lines())
            else:
                with igzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
                    packed.writelines(self.lines())
        return self.total

    def _uploads(self, stretch: float) -> list[Upload]:
        span = DemoDays(self.days, self.end_day, self.now)
        return uploads(self.seed, self.network, span, stretch=stretch, repeats=self.ids)

    def _chunks(self, sql: str, chunk_rows: int) -> Iterator[pa.Table]:
        left = self.total
        with duckdb.connect(":memory:") as connection:
            connection.register("slots", _slots(self.network))
            connection.register("clock", _clock())
            for part in _chunks_of_uploads(self.uploads, chunk_rows):
                connection.register("uploads", self._table(part))
                table = connection.execute(sql).to_arrow_table()[:left]
                left -= table.num_rows
                if table.num_rows:
                    yield table

    def _table(self, part: list[Upload]) -> pa.Table:
        heads = [f"{up.player.player_id}-{up.day:%y%m%d}-" if self.ids else None for up in part]
        return pa.table(
            {
                "position": pa.array(range(len(part)), pa.int64()),
                "loop": ["/".join(map(str, up.loop)) for up in part],
                "opens": [up.opens for up in part],
                "closes": [up.closes for up in part],
                "lap_seconds": [up.lap_seconds for up in part],
                "first_lap": [up.first_lap for up in part],
                "laps": [up.laps for up in part],
                "slots": [up.slots for up in part],
                "midnight": [(up.day - date(1970, 1, 1)).days * DAY_SECONDS for up in part],
                "player_id": [up.player.player_id for up in part],
                "ip": [up.player.ip for up in part],
                "id_head": pa.array(heads, pa.string()),
                "head": ['{"id":"' + head if head else "{" for head in heads],
                "middle": [('",' if self.ids else "") + _middle(up) for up in part],
                "tail": [f',"ip":"{up.player.ip}"}}\n' for up in part],
            }
        )


def _count_rows(found: list[Upload]) -> int:
    return sum(upload.rows for upload in found)


def _middle(upload: Upload) -> str:
    return f'"player_id":{upload.player.player_id},"played_at":"{upload.day}T'


def _slots(network: Network) -> pa.Table:
    """Every slot of every loop; `start_share` is its start in millionths of a lap."""
    rows = []
    for loop, medias in network.loops.items():
        whole, start = sum(media.seconds for media in medias), 0
        for slot, media in enumerate(medias):
            ending = f'","media_id":{media.media_id},"type":"I","duration_seconds":{media.seconds}'
            rows.append(
                {
                    "loop": "/".join(map(str, loop)),
                    "slot": slot,
                    "media_id": media.media_id,
                    "seconds": media.seconds,
                    "start_share": start * 1_000_000 // whole,
                    "ending": ending,
                }
            )
            start += media.seconds
    return pa.Table.from_pylist(rows)


def _clock() -> pa.Table:
    texts = [f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(DAY_SECONDS)]
    return pa.table({"second": pa.array(range(DAY_SECONDS), pa.int64()), "text": texts})


def _chunks_of_uploads(found: list[Upload], chunk_rows: int) -> Iterator[list[Upload]]:
    part: list[Upload] = []
    rows = 0
    for upload in found:
        part.append(upload)
        rows += upload.rows
        if rows >= chunk_rows:
            yield part
            part, rows = [], 0
    if part:
        yield part


def _text_of_lines(lines: pa.LargeStringArray) -> memoryview:
    """All lines of an array without a copy: its data buffer is the text."""
    offsets = memoryview(lines.buffers()[1]).cast("q")
    start, end = offsets[lines.offset], offsets[lines.offset + len(lines)]
    return memoryview(lines.buffers()[2])[start:end]


def _as_type(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_timestamp(wanted):
        return column.cast(pa.timestamp("us")).cast(pa.int64()).cast(wanted)
    return column.cast(wanted)
