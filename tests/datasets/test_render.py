"""How rows are split into files, and where they are rendered."""

from __future__ import annotations

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from airtally.datasets import render
from airtally.datasets.publish import Publisher
from airtally.datasets.render import DatasetRenderer
from airtally.engine.child import HeavyOptions
from airtally.engine.child_process import InProcess
from fixtures.datasets import DatasetHome, dataset_home_with, rows_of, text_of


@pytest.mark.parametrize("file_format", ["csv", "csv.gz", "zip", "parquet"])
def test_files_of_about_one_size(tmp_path: Path, file_format: str) -> None:
    with ExitStack() as closing:
        dataset_home = dataset_home_with(tmp_path, closing, file_format)
        _small_files(dataset_home)
        dataset_home.send(
            *({"subscription_event_id": f"e{number:05}", "cid": f"{number:064x}"} for number in range(50_000))
        )
        dataset_home.publish()
        files = dataset_home.files()
        assert [file.file_id for file in files] == [f"data987-20261102T120000Z-{part:03}" for part in range(3)]
        assert [file.rows for file in files] == [20_000, 20_000, 10_000]
        ids: list[Any] = []
        for file in files:
            content = dataset_home.content(file)
            if file_format == "parquet":
                ids += pq.read_table(io.BytesIO(content))["subscription_event_id"].to_pylist()
            else:
                text = text_of(content, file_format).decode()
                ids += [row[0] for row in list(csv.reader(io.StringIO(text)))[1:]]
    assert sorted(ids) == [f"e{number:05}" for number in range(50_000)]


def _small_files(dataset_home: DatasetHome) -> None:
    """Files that end as soon as they have something."""
    services = dataset_home.services
    publisher: Publisher = services.datasets.publisher
    options = HeavyOptions(256 << 20, dataset_home.home / "tmp")
    publisher._renderer = DatasetRenderer(services.engines.engine, InProcess(), options, file_bytes=1000)


def test_large_windows_are_rendered_in_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "SMALL_ROWS", 1)
    with ExitStack() as closing:
        dataset_home = dataset_home_with(tmp_path, closing, "csv.gz")
        dataset_home.events("a", "b")
        dataset_home.publish()
        assert dataset_home.services.engines.heavy._child is not None
        [file] = dataset_home.files()
        assert len(rows_of(text_of(dataset_home.content(file), "csv.gz"))) == file.rows == 2
