"""Finished days of a report on disk."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from airtally.reports.parts import Parts, left_over
from fixtures.reports import finished_day

FIRST, SECOND = date(2026, 10, 1), date(2026, 10, 2)


def test_a_finished_day_is_found_by_whoever_goes_on(tmp_path: Path) -> None:
    made = finished_day(Parts(tmp_path, 7), FIRST, b"a\nb\n")
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
    path = parts.folder / finished_day(parts, FIRST, b"a\nb\n").file
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
    made = finished_day(other, FIRST, b"a\n")
    assert begun != other.folder / made.file
    assert slow.find(FIRST) == made


def test_what_is_discarded_is_no_longer_left_over(tmp_path: Path) -> None:
    assert left_over(tmp_path / "nothing") == []
    for report in (7, 12):
        finished_day(Parts(tmp_path, report), FIRST, b"a\n")
    (tmp_path / "report-x").mkdir()
    assert sorted(left_over(tmp_path)) == [7, 12]
    Parts(tmp_path, 7).discard()
    Parts(tmp_path, 7).discard()
    assert left_over(tmp_path) == [12]
