"""Run by dlt's own environment: `python dlt_load.py FILE FOLDER` loads an NDJSON file into DuckDB.

dlt's documented way for such files (filesystem source, `read_jsonl`), helped where it costs nothing: the columns
are declared, chunks are ten times the default, rows are normalised by two processes and loaded as Parquet (the
fastest of its formats here), no telemetry.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "NORMALIZE__WORKERS": "2",
    "DATA_WRITER__BUFFER_MAX_ITEMS": "50000",
    "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "100000",
    "EXTRACT__DATA_WRITER__FILE_MAX_ITEMS": "100000",
}

import dlt
import duckdb
from dlt.sources.filesystem import filesystem, read_jsonl

COLUMNS = {
    "id": {"data_type": "text"},
    "player_id": {"data_type": "bigint"},
    "media_id": {"data_type": "bigint"},
    "played_at": {"data_type": "timestamp"},
    "type": {"data_type": "text"},
    "ip": {"data_type": "text"},
    "duration_seconds": {"data_type": "double"},
}


def main() -> None:
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    database = folder / "dlt.duckdb"
    pipeline = dlt.pipeline(
        "playlogs",
        pipelines_dir=str(folder / "pipelines"),
        destination=dlt.destinations.duckdb(str(database)),
        dataset_name="signage",
    )
    files = filesystem(bucket_url=source.parent.as_uri(), file_glob=source.name)
    rows = (files | read_jsonl(chunksize=10_000)).with_name("plays")
    rows.apply_hints(columns=COLUMNS)
    pipeline.run(rows, loader_file_format="parquet").raise_on_failed_jobs()
    with duckdb.connect(str(database)) as connection:
        loaded = connection.execute("SELECT count(*) FROM signage.plays").fetchall()[0][0]
    print(json.dumps({"rows": loaded}))


if __name__ == "__main__":
    main()
