"""The four formats, with everything that a value may hold."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airtally.datasets.formats import FORMATS, MOST_UNPACKED
from airtally.datasets.layout import LAYOUTS
from airtally.streams import PLAYBACK
from fixtures.datasets import dataset_home_with, rows_of, text_of

ODD = {
    "subscription_event_id": 'a,"b"\nc',
    "subscription_event_time_utc": "2026-10-31T23:59:59.999999Z",
    "offer_id": "",
    "offer_name": "two\r\nlines",
    "channel_label": "ação ☂",
    "offer_payment_amount": " 9.99 ",
    "is_promo": 1,
    "create_time_utc": "2026-10-01T00:00:00.0019Z",
    "last_update_time_utc": "2026-11-01T00:00:00Z",
}
PLAIN = {"subscription_event_id": "plain", "last_update_time_utc": "2026-11-02T01:02:03.004Z"}


@pytest.mark.parametrize("file_format", ["csv", "csv.gz", "zip"])
def test_texts(tmp_path: Path, file_format: str) -> None:
    with ExitStack() as closing:
        dataset_home = dataset_home_with(tmp_path, closing, file_format)
        dataset_home.send(ODD, PLAIN)
        dataset_home.publish()
        [file] = dataset_home.files()
        text = text_of(dataset_home.content(file), file_format)
    assert file.name == f"subscription_event_log_20261102T120000Z_000.{file_format}"
    assert (file.rows, file.report_date_begin, file.report_date_end) == (2, "2026-10-31", "2026-11-02")
    header, *lines = text.decode().split("\n")
    assert header == ",".join(column.name for column in LAYOUTS["subscriptions"].columns)
    assert lines[-1] == ""
    assert "plain,,,,,,,,,,,,,,0,2026-11-02 01:02:03.004,2026-11-02 01:02:03.004,0" in lines
    odd = next(row for row in rows_of(text) if row["subscription_event_id"] != "plain")
    assert odd == {
        **dict.fromkeys(odd, ""),
        "subscription_event_id": 'a,"b"\nc',
        "subscription_event_time_utc": "2026-10-31 23:59:59.999",
        "offer_name": "two\r\nlines",
        "channel_label": "ação ☂",
        "offer_payment_amount": " 9.99 ",
        "is_promo": "1",
        "create_time_utc": "2026-10-01 00:00:00.001",
        "last_update_time_utc": "2026-11-01 00:00:00.000",
        "is_deleted": "0",
    }
    assert ',"",' in text.decode(), "an empty text is no null"


FORMULAS = ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1", "|calc", '=HYPERLINK("http://a.example")', "'=1"]


@pytest.mark.parametrize("file_format", ["csv", "zip", "parquet"])
def test_cells_that_spreadsheets_take_for_formulas_are_as_they_were_sent(tmp_path: Path, file_format: str) -> None:
    """The files are the vendor's wire: an apostrophe before them would be another value to every program."""
    with ExitStack() as closing:
        dataset_home = dataset_home_with(tmp_path, closing, file_format)
        dataset_home.send(*({"subscription_event_id": f"{at}", "offer_name": cell} for at, cell in enumerate(FORMULAS)))
        dataset_home.publish()
        [file] = dataset_home.files()
        content = dataset_home.content(file)
    if file_format == "parquet":
        rows = pq.read_table(io.BytesIO(content)).to_pylist()
    else:
        rows = rows_of(text_of(content, file_format))
    assert [row["offer_name"] for row in sorted(rows, key=lambda row: int(row["subscription_event_id"]))] == FORMULAS


def test_parquet(tmp_path: Path) -> None:
    with ExitStack() as closing:
        dataset_home = dataset_home_with(tmp_path, closing, "parquet")
        dataset_home.send(ODD, PLAIN)
        dataset_home.publish()
        [file] = dataset_home.files()
        table = pq.read_table(io.BytesIO(dataset_home.content(file)))
    assert table.schema.names == [column.name for column in LAYOUTS["subscriptions"].columns]
    kinds = {field.name: field.type for field in table.schema}
    assert kinds["create_time_utc"] == pa.timestamp("ms", "UTC")
    assert kinds["is_promo"] == pa.int64()
    assert kinds["offer_id"] == pa.string()
    odd = next(row for row in table.to_pylist() if row["subscription_event_id"] != "plain")
    assert (odd["offer_id"], odd["cid"], odd["is_promo"]) == ("", None, 1)
    assert odd["last_update_time_utc"].isoformat() == "2026-11-01T00:00:00+00:00"


def test_doubles_and_whole_numbers(tmp_path: Path) -> None:
    with ExitStack() as closing:
        dataset_home = dataset_home_with(tmp_path, closing, "csv")
        dataset_home.send(
            {
                "session_id": "s",
                "position_start": 0.5,
                "position_end": 1e15,
                "seconds_viewed": 12345678901,
                "geo_dma": "007",
                "last_update_time_utc": "2026-11-01T00:00:00Z",
            },
            stream="playback",
        )
        dataset_home.publish("data986")
        [row] = dataset_home.rows("data986")
    assert list(row) == [column.name for column in LAYOUTS[PLAYBACK.name].columns]
    assert (row["position_start"], float(row["position_end"]), row["seconds_viewed"]) == ("0.5", 1e15, "12345678901")
    assert (row["geo_dma"], row["cid"]) == ("007", "")


LAYOUT = LAYOUTS["subscriptions"]


def lines(count: int) -> pa.RecordBatch:
    return pa.record_batch({"line": [f"{number:064x}\n" for number in range(count)]})


@pytest.mark.parametrize("file_format", ["csv.gz", "zip"])
def test_the_same_rows_give_the_same_bytes(tmp_path: Path, file_format: str) -> None:
    for name in ("first", "second"):
        with FORMATS[file_format](tmp_path / name, LAYOUT) as file:
            file.write(lines(10))
            file.write(lines(20_000))
            file.finish()
        time.sleep(2.1 if name == "first" else 0)  # the clock of a ZIP file has steps of two seconds
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("file_format", ["csv", "csv.gz", "zip"])
def test_what_goes_wrong_with_a_file_is_told(tmp_path: Path, file_format: str) -> None:
    def written(path: Path, batches: Iterable[pa.RecordBatch]) -> None:
        with FORMATS[file_format](path, LAYOUT) as file:
            for batch in batches:
                file.write(batch)
            file.finish()

    def cut_off() -> Iterator[pa.RecordBatch]:
        yield lines(10)
        raise TimeoutError

    with pytest.raises(OSError, match="No space left"):
        written(Path("/dev/full"), [lines(200_000)])
    with pytest.raises(TimeoutError):
        written(tmp_path / "file", cut_off())


def test_a_file_that_unpacks_to_very_much_is_long_enough(tmp_path: Path) -> None:
    for file_format in ("csv.gz", "zip"):
        with FORMATS[file_format](tmp_path / "file", LAYOUT) as file:
            plain = 0
            for _ in range(20):
                file.write(pa.record_batch({"line": ["0" * 99_999 + "\n"]}))
                plain += 100_000
                assert plain // MOST_UNPACKED <= file.size < plain // MOST_UNPACKED + 1000
            file.finish()
