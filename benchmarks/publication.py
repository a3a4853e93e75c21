"""Ten million subscription rows published as csv.gz, against DuckDB's COPY of the same rows."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import duckdb
from deltalake import DeltaTable

from airtally.streams import STREAMS
from benchmarks.harness import Aim, Place, Result
from benchmarks.kept import kept
from benchmarks.machine import Watch
from benchmarks.server import SLUG, Home
from benchmarks.sources import DATASET, subscriptions

_TIMES = ("subscription_event_time_utc", "create_time_utc", "last_update_time_utc")
_COLUMNS = [column.name for column in STREAMS["subscriptions"].columns if column.name != "business_id"]


def publication(place: Place) -> Result:
    data = kept(place, subscriptions(place))
    home = data.home.copied(place.work / "homes" / "publication")
    seconds, peak, process_peak, files = _publish(home)
    size = sum(file.stat().st_size for file in files)
    theirs, reference = _copy(home, place.folder("publication"))
    if _digest(files) != _digest([reference]):
        raise RuntimeError(
            f"the published rows {_digest(files)} are not those that DuckDB wrote {_digest([reference])}"
        )
    shutil.rmtree(home.folder)
    return Result(
        name="publication",
        title="a dataset's rows published as csv.gz, `airtally dataset publish`, its start included",
        parameters={"rows": data.rows},
        figures={
            "seconds": seconds,
            "rows/s": data.rows / seconds,
            "files": float(len(files)),
            "MB of them": size / 1e6,
            "peak MB of all processes together": peak / 1e6,
            "peak MB of the largest process": process_peak / 1e6,
        }
        | data.loading,
        reference={
            "DuckDB COPY of the same rows from its own table as gzip CSV, s": theirs,
            "its file, MB": reference.stat().st_size / 1e6,
        },
        ratio=theirs / seconds,
        aims=[
            Aim("times DuckDB's speed", theirs / seconds, 3),
            Aim("peak memory of all processes", peak / 1e6, 700, "MB", at_most=True),
        ],
        notes=["the rows of both are the same: counted, and their hashes added up"],
    )


def _publish(home: Home) -> tuple[float, int, int, list[Path]]:
    """Seconds, peak bytes of all processes and of one, and the files. Waiting until listings have them is not counted."""
    before = set(_stored(home))
    begun = time.perf_counter()
    started = home.start("dataset", "publish", "--account", SLUG, "--json")
    with Watch(started.pid) as watch:
        out, _ = started.communicate()
    seconds = time.perf_counter() - begun
    if started.returncode:
        raise RuntimeError(f"airtally dataset publish ended with {started.returncode}")
    published = [each for each in json.loads(out) if each["dataset"] == DATASET]
    files = [file for file in _stored(home) if file not in before]
    if len(published) != len(files):
        raise RuntimeError(f"{len(published)} files told, {len(files)} found")
    return seconds, watch.peak, watch.process_peak, files


def _stored(home: Home) -> list[Path]:
    return [path for path in (home.folder / "files").rglob("*") if path.is_file()]


def _copy(home: Home, folder: Path) -> tuple[float, Path]:
    """Seconds of DuckDB alone; the rows are in a table of its own before the clock starts."""
    target = folder / "subscriptions.csv.gz"
    parquet = DeltaTable(str(home.folder / "lake" / "subscriptions")).file_uris()
    with duckdb.connect(str(folder / "copy.duckdb")) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        texts = [f"strftime({name}, '%Y-%m-%d %H:%M:%S.%g') AS {name}" if name in _TIMES else name for name in _COLUMNS]
        connection.execute(
            f"CREATE TABLE subscriptions AS SELECT {', '.join(_COLUMNS)} FROM read_parquet(?) WHERE account = ?",
            [parquet, SLUG],
        )
        connection.execute("CHECKPOINT")
        begun = time.perf_counter()
        connection.execute(
            f"COPY (SELECT {', '.join(texts)} FROM subscriptions) TO '{target}' (FORMAT csv, HEADER, COMPRESSION gzip)"
        )
        return time.perf_counter() - begun, target


def _digest(files: list[Path]) -> tuple[int, int]:
    """Number of rows and the sum of their hashes, whatever their order."""
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT count(*), sum(hash({', '.join(_COLUMNS)})::HUGEINT) "
            "FROM read_csv(?, header = true, all_varchar = true, compression = 'gzip')",
            [[str(file) for file in files]],
        ).fetchone()
    return (int(found[0]), int(found[1])) if found else (0, 0)
