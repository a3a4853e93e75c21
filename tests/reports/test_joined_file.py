"""Finished days of a report joined into one gzip file."""

from __future__ import annotations

import gzip
import hashlib
from datetime import date
from pathlib import Path

import pytest

from airtally.files.store import CHUNK_BYTES
from airtally.kit.errors import NotFound
from airtally.reports.joined_file import JoinedFile
from airtally.reports.parts import Parts
from fixtures.reports import finished_day

FIRST, SECOND, THIRD = date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3)


def test_days_are_joined_in_the_order_given_whenever_each_is_done(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 7)
    large = b"a long day\n" * (CHUNK_BYTES // 4)
    with JoinedFile(parts, [THIRD, SECOND, FIRST]) as whole:
        done = {SECOND: finished_day(parts, SECOND, b"second\n")}
        whole.add(done)
        done[THIRD] = finished_day(parts, THIRD, large)
        whole.add(done)
        done[FIRST] = finished_day(parts, FIRST, b"")
        whole.add(done)
        made = whole.finish()
        data = made.path.read_bytes()
    assert gzip.decompress(data) == large + b"second\n"
    assert (made.size, made.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert not made.path.exists()


def test_no_day_is_an_empty_file(tmp_path: Path) -> None:
    with JoinedFile(Parts(tmp_path, 7), []) as whole:
        whole.add({})
        assert gzip.decompress(whole.finish().path.read_bytes()) == b""


def test_a_day_that_goes_away_meanwhile_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    parts = Parts(tmp_path, 7)
    made = finished_day(parts, FIRST, b"a\n")
    (parts.folder / made.file).unlink()
    with JoinedFile(parts, [FIRST]) as whole, pytest.raises(NotFound, match=made.file):
        whole.add({FIRST: made})
    assert list(parts.folder.glob("whole-*")) == []


def test_a_file_that_was_moved_away_stays(tmp_path: Path) -> None:
    with JoinedFile(Parts(tmp_path, 7), []) as whole:
        moved = whole.finish().path.rename(tmp_path / "moved.gz")
    assert moved.exists()
