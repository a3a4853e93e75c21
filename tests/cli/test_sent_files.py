"""`airtally ingest` with `--url`: each row once, however often a file is sent."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq

from fixtures.postgres import on_sqlite

pytestmark = on_sqlite
INGEST = "ingest playlogs --account acme"


def count(site):
    return site("query playlogs --account acme")["rows"][0]["count"]


def test_files_of_every_kind_are_counted_once(site, tmp_path):
    rows = [{"player_id": n, "media_id": 2, "played_at": "2026-10-01T08:00:00"} for n in range(3)]
    lines, array, table, packed, parquet = (
        tmp_path / f"a.{end}" for end in ("ndjson", "json", "csv", "csv.gz", "parquet")
    )
    lines.write_text("\n".join(map(json.dumps, rows)))
    array.write_text(json.dumps(rows[:2], indent=1))
    table.write_text("player_id,media_id,played_at\n7,2,2026-10-01T09:00:00\n")
    packed.write_bytes(gzip.compress(b"player_id,media_id,played_at\n8,2,2026-10-01T09:00:00\n"))
    pq.write_table(pa.table({"player_id": [9], "media_id": [2], "played_at": ["2026-10-01T09:00:00"]}), parquet)
    files = [str(each) for each in (lines, array, table, packed, parquet)]
    sent = site(INGEST, *files)
    assert [(each["accepted"], each["rejected"]) for each in sent] == [(3, 0), (2, 0), (1, 0), (1, 0), (1, 0)]
    assert count(site) == 8
    assert site(INGEST, *files) == sent, "answered as the first time"
    assert count(site) == 8
    site(f"{INGEST} --again", str(table))
    assert count(site) == 9


def test_refused_rows_are_shown_with_their_lines_and_kept(site, tmp_path):
    table = tmp_path / "plays.csv"
    table.write_text("player_id,media_id,played_at\n1,2,2026-10-01T08:00:00\nx,2,2026-10-01T08:00:00\n")
    said = site(INGEST, str(table))
    assert "plays.csv:3: player_id: expected integer" in said
    assert "1 row of 1 file refused; `airtally quarantine list` shows them" in said
    assert [each["rows"] for each in site("quarantine list --account acme")] == [1]


def test_what_cannot_be_sent_is_said_in_words(site, tmp_path):
    plain = tmp_path / "plays.txt"
    plain.write_text("x")
    assert "cannot tell the format of plays.txt" in site(INGEST, str(plain))
    table = tmp_path / "plays.csv"
    table.write_text("player_id,media_id,played_at\n7,2,2026-10-01T09:00:00\n")
    broken = tmp_path / "plays.parquet"
    broken.write_text("x")
    assert "plays.parquet" in site(INGEST, str(broken))
    assert "There is no account 'nobody'" in site("ingest playlogs --account nobody", str(table))
