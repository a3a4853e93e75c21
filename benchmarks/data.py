"""The rows that benchmarks send: playlogs of the made-up network, made once and kept in the work folder."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path

import duckdb
from isal import igzip

from airtally.demo.playlogs import Playlogs
from benchmarks.server import Bodies

#: What DuckDB is told of a playlog's columns, so that its reference run need not find them out.
COLUMNS = {
    "id": "VARCHAR",
    "player_id": "BIGINT",
    "media_id": "BIGINT",
    "played_at": "TIMESTAMP",
    "type": "VARCHAR",
    "ip": "VARCHAR",
    "duration_seconds": "DOUBLE",
}


def recent(rows: int) -> Playlogs:
    """Playlogs of yesterday and today, days that are open by the server's clock."""
    return Playlogs(days=2, end_day=_today(), rows=rows, players=max(4, rows // 2_000))


def month(rows: int) -> Playlogs:
    """Playlogs of the thirty days before this one."""
    return Playlogs(days=30, end_day=_today() - timedelta(days=1), rows=rows)


def _today() -> date:
    return datetime.now(UTC).date()


def ndjson(folder: Path, playlogs: Playlogs) -> Path:
    """The playlogs as a file, made unless it is there."""
    path = folder / f"playlogs-{playlogs.days}d-{playlogs.end_day}-{playlogs.rows}.ndjson"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        making = path.with_suffix(".making")
        playlogs.write(making)
        making.rename(path)
    return path


def bodies(source: Path, rows_each: int, *, gzipped: bool, limit: int | None = None) -> Bodies:
    """The file's lines in batches of `rows_each`, as the load client sends them; `limit` rows at most."""
    target = source.with_suffix(f".{rows_each}{'.gz' if gzipped else ''}.bodies")
    index, rows, offset = [], 0, 0
    with target.open("wb") as file:
        for lines in _batches(source, rows_each, limit):
            body = igzip.compress(b"".join(lines), 1) if gzipped else b"".join(lines)
            file.write(body)
            index.append((offset, len(body)))
            offset += len(body)
            rows += len(lines)
    return Bodies(target, index, rows, gzipped)


def _batches(source: Path, rows_each: int, limit: int | None) -> Iterator[list[bytes]]:
    with source.open("rb") as file:
        lines = iter(file) if limit is None else islice(file, limit)
        while batch := list(islice(lines, rows_each)):
            yield batch


def distinct(source: Path) -> int:
    """Plays in a file, repeats of one id on one day counted once."""
    with duckdb.connect() as connection:
        counted = connection.execute(
            "SELECT count(DISTINCT (id, played_at::DATE)) FROM read_json(?, format='newline_delimited', columns=?)",
            [str(source), COLUMNS],
        ).fetchone()
    return int(counted[0]) if counted else 0
