"""Finished days of a report on disk, and the file that they are joined into."""

from __future__ import annotations

import gzip
import hashlib
from datetime import date
from pathlib import Path

import pytest

from airtally.files.gzip import pack
from airtally.files.store import CHUNK_BYTES
from airtally.kit.errors import NotFound
from airtally.reports.parts import Assembly, DayFile, Parts, left_over

FIRST, SECOND = date(2026, 10, 1), date(2026, 10, 2)


def finish(parts: Parts, day: date, text: bytes) -> DayFile:
    path = parts.new_file(day)
    with path.open("wb") as file:
        packed = pack([text], file)
    made = DayFile(day, path.name, text.count(b"\n"), 5, packed)
    parts.note(made)
    return made


def test_a_finished_day_is_found_by_whoever_goes_on(tmp_path: Path) -> None:
    made = finish(Parts(tmp_path, 7), FIRST, b"a\nb\n")
    assert Parts(tmp_path, 7).find(FIRST) == made
    assert Parts(tmp_path, 7).find(SECOND) is None
    assert Parts(tmp_path, 8).find(FIRST) is None


def test_a_day_that_was_not_noted_is_made_again(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 7)
    parts.new_file(FIRST).write_bytes(b"unfinished")
    assert parts.find(FIRST) is None


@pytest.mark.parametrize("damage", ["gone", "short", "longer", "note"])
def test_a_day_whose_file_is_not_whole_is_made_again(tmp_path: Path, damage: str) -> None:
    parts = Parts(tmp_path, 7)
    path = parts.folder / finish(parts, FIRST, b"a\nb\n").file
    match damage:
        case "gone":
            path.unlink()
        case "short":
            path.write_bytes(path.read_bytes()[:-1])
        case "longer":
            path.write_bytes(path.read_bytes() + b"x")
        case "note":
            (parts.folder / f"{FIRST}.json").write_text('{"day":')
    assert parts.find(FIRST) is None


def test_two_workers_that_believe_to_hold_the_job_write_to_files_of_their_own(tmp_path: Path) -> None:
    """Whichever notes last counts; both are whole."""
    slow, other = Parts(tmp_path, 7), Parts(tmp_path, 7)
    begun = slow.new_file(FIRST)
    made = finish(other, FIRST, b"a\n")
    assert begun != other.folder / made.file
    assert slow.find(FIRST) == made


def test_what_is_discarded_is_no_longer_left_over(tmp_path: Path) -> None:
    assert left_over(tmp_path / "nothing") == []
    for report in (7, 12):
        finish(Parts(tmp_path, report), FIRST, b"a\n")
    (tmp_path / "report-x").mkdir()
    assert sorted(left_over(tmp_path)) == [7, 12]
    Parts(tmp_path, 7).discard()
    Parts(tmp_path, 7).discard()
    assert left_over(tmp_path) == [12]


def test_days_are_joined_into_one_gzip_file_in_the_order_given(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 7)
    large = b"a long day\n" * (CHUNK_BYTES // 4)
    days = [finish(parts, SECOND, b"second\n"), finish(parts, FIRST, large), finish(parts, date(2026, 10, 3), b"")]
    whole = Assembly(days, parts.folder)
    data = b"".join(whole.chunks())
    assert gzip.decompress(data) == b"second\n" + large
    assert (whole.size, whole.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_no_day_is_an_empty_file(tmp_path: Path) -> None:
    assert gzip.decompress(b"".join(Assembly([], tmp_path).chunks())) == b""


def test_a_day_that_goes_away_meanwhile_is_named(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 7)
    made = finish(parts, FIRST, b"a\n")
    parts.discard()
    with pytest.raises(NotFound, match=made.file):
        list(Assembly([made], parts.folder).chunks())
