"""Homes at scale, made by the demo's generators and `airtally ingest`, and kept for the next run."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from airtally.demo.tables import write
from benchmarks.harness import Place
from benchmarks.server import SLUG, Home

#: A file of so many rows is made while the one before it is loaded by nobody: what is measured is one program alone.
FILE_ROWS = 10_000_000
#: A home is made anew when its last day is older: questions are about the last weeks.
_FRESH_DAYS = 7
_READY = "ready.json"
#: Rows stay, however old a kept home becomes.
_RETAIN = {"retain_ad_events": "forever", "retain_viewer_samples": "forever"}

#: The small streams' rows by stream, then the large stream and its tables.
Rows = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Source:
    """What a home holds: `stream` at scale, and the rows that must be there before it.

    `load` fills the stream in another way than from `tables`; it tells how many `rows` that were, and what it measured.
    """

    name: str
    stream: str
    rows: int
    before: Callable[[date], Rows]
    tables: Callable[[date], Iterable[pa.Table]]
    keys: tuple[str, ...] = ()
    set_up: Callable[[Home], None] = lambda _: None
    load: Callable[[Home, date], dict[str, float]] | None = None


@dataclass
class Kept:
    """A filled home. `loading` is what its making measured."""

    home: Home
    end_day: date
    rows: int
    keys: dict[str, dict[str, Any]]
    loading: dict[str, float] = field(default_factory=dict)

    def store(self) -> None:
        whole = asdict(self) | {"home": None, "end_day": str(self.end_day)}
        whole |= {"token": self.home.token, "secret_token": self.home.secret_token}
        (self.home.folder / _READY).write_text(json.dumps(whole), encoding="utf-8")


def kept(place: Place, source: Source) -> Kept:
    """The home of a source, made unless one is there that is large and fresh enough."""
    folder = place.kept / f"{source.name}-{source.rows}"
    found = _found(folder)
    if found is None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        found = _made(folder, source)
        found.store()
    return found


def _found(folder: Path) -> Kept | None:
    ready = folder / _READY
    if not ready.exists():
        return None
    held = json.loads(ready.read_text(encoding="utf-8"))
    end_day = date.fromisoformat(held["end_day"])
    if end_day < _yesterday() - timedelta(days=_FRESH_DAYS):
        return None
    home = Home.at(folder, **_RETAIN)
    home.token, home.secret_token = held["token"], held["secret_token"]
    return Kept(home, end_day, held["rows"], held["keys"], held["loading"])


def _yesterday() -> date:
    return datetime.now(UTC).date() - timedelta(days=1)


def _made(folder: Path, source: Source) -> Kept:
    home = Home.make(folder, **_RETAIN)
    source.set_up(home)
    end_day = _yesterday()
    for stream, rows in source.before(end_day).items():
        path = folder / f"{stream}.ndjson"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        _ingest(home, stream, path)
    if source.load is not None:
        loading = source.load(home, end_day)
    else:
        loading = _load(home, source.stream, source.tables(end_day))
    loading["compacting, s"] = home.timed("lake", "compact", "--stream", source.stream)
    loading["making rollups, s"] = rollups(home, source.stream)
    return Kept(home, end_day, int(loading.pop("rows")), {kind: home.key(kind) for kind in source.keys}, loading)


def _load(home: Home, stream: str, tables: Iterable[pa.Table]) -> dict[str, float]:
    rows = made = loaded = 0.0
    feed = iter(tables)
    begun = time.perf_counter()
    for number, part in enumerate(_parts(feed)):
        path = home.folder / f"{stream}-{number}.parquet"
        rows += write(path, part)
        made += time.perf_counter() - begun
        loaded += _ingest(home, stream, path)
        begun = time.perf_counter()
    return {"rows": rows, "generated rows/s": rows / made, "ingested rows/s": rows / loaded, "ingesting, s": loaded}


def _parts(feed: Iterator[pa.Table]) -> Iterator[Iterator[pa.Table]]:
    """The tables in groups of about `FILE_ROWS` rows; each group is used up before the next."""

    def part(first: pa.Table) -> Iterator[pa.Table]:
        rows, each = 0, first
        while True:
            yield each
            rows += each.num_rows
            if rows >= FILE_ROWS or (following := next(feed, None)) is None:
                return
            each = following

    while (first := next(feed, None)) is not None:
        yield part(first)


def _ingest(home: Home, stream: str, path: Path) -> float:
    """Seconds. Raises RuntimeError where a row was refused."""
    begun = time.perf_counter()
    [done] = json.loads(home.run("ingest", stream, str(path), "--account", SLUG, "--json"))
    seconds = time.perf_counter() - begun
    path.unlink()
    if done["rejected"]:
        raise RuntimeError(f"{done['rejected']} rows of {stream} were refused: {done}")
    return seconds


def rollups(home: Home, stream: str, *, rebuild: bool = False) -> float:
    """Seconds until a stream's rollups are current; with `rebuild` all parts are made anew."""
    return home.timed("lake", "rollups", "--stream", stream, *(["--rebuild"] if rebuild else []))
