from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from benchmarks.harness import Place
from benchmarks.kept import Kept, Source, kept
from benchmarks.server import Home

from benchmarks import kept as homes


def source(rows: int = 10) -> Source:
    return Source("few", "viewer_samples", rows, before=lambda _: {}, tables=lambda _: iter(()))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Folders that were filled; the filling itself is what the small runs show."""
    folders: list[Path] = []

    def make(folder: Path, of: Source) -> Kept:
        folder.mkdir()
        folders.append(folder)
        return Kept(Home.at(folder), date.today() - timedelta(days=1), of.rows, {"tapjoy": {"k": "v"}}, {"s": 1.5})

    monkeypatch.setattr(homes, "_made", make)
    return folders


def test_a_home_is_made_once_and_found_again_with_its_keys(made: list[Path], tmp_path: Path) -> None:
    place = Place(tmp_path, small=True)
    first, second = kept(place, source()), kept(place, source())
    assert made == [tmp_path / "kept" / "few-10"]
    assert (second.home.folder, second.end_day) == (first.home.folder, first.end_day)
    assert (second.rows, second.keys, second.loading) == (10, {"tapjoy": {"k": "v"}}, {"s": 1.5})


def test_another_size_and_an_old_home_are_made_anew(made: list[Path], tmp_path: Path) -> None:
    place = Place(tmp_path, small=True)
    kept(place, source())
    kept(place, source(20))
    ready = tmp_path / "kept" / "few-10" / "ready.json"
    held = json.loads(ready.read_text())
    ready.write_text(json.dumps(held | {"end_day": "2026-01-01"}))
    kept(place, source())
    assert [folder.name for folder in made] == ["few-10", "few-20", "few-10"]


def test_a_home_whose_making_was_stopped_is_made_anew(made: list[Path], tmp_path: Path) -> None:
    (tmp_path / "kept" / "few-10" / "lake").mkdir(parents=True)
    kept(Place(tmp_path, small=True), source())
    assert len(made) == 1
    assert not (tmp_path / "kept" / "few-10" / "lake").exists()


def test_the_folder_of_kept_homes_is_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AIRTALLY_BENCHMARK_DATA", str(tmp_path / "large"))
    assert Place(tmp_path).kept == tmp_path / "large"
    monkeypatch.delenv("AIRTALLY_BENCHMARK_DATA")
    assert Place(tmp_path).kept.name == "benchmark-data"
    assert Place(tmp_path, small=True).kept == tmp_path / "kept"


def test_parts_together_are_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(homes, "FILE_ROWS", 5)
    tables = [pa.table({"n": list(range(start, start + 2))}) for start in range(0, 22, 2)]
    feed: Iterator[pa.Table] = iter(tables)
    parts = [[each.num_rows for each in part] for part in homes._parts(feed)]
    assert parts == [[2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2]]


def test_a_copied_home_shares_parquet_and_nothing_else(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "one")
    (home.folder / "lake").mkdir(parents=True)
    (home.folder / "lake" / "a.parquet").write_bytes(b"rows")
    (home.folder / "metadata.sqlite").write_bytes(b"before")
    copy = home.copied(tmp_path / "two")
    (copy.folder / "metadata.sqlite").write_bytes(b"after")
    (copy.folder / "lake" / "b.parquet").write_bytes(b"more")
    assert (home.folder / "metadata.sqlite").read_bytes() == b"before"
    assert [path.name for path in (home.folder / "lake").iterdir()] == ["a.parquet"]
    assert (copy.folder / "lake" / "a.parquet").stat().st_ino == (home.folder / "lake" / "a.parquet").stat().st_ino
