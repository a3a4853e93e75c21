"""Maps: made when they are needed, made anew where they cannot be used, removed with their segments, within a limit."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from airtally.kit import metrics
from airtally.kit.faults import Faults
from airtally.kit.time import HOUR_US
from airtally.rollups import segment_files
from airtally.rollups.commit import replace_files
from airtally.rollups.maps import file as map_file
from airtally.rollups.maps.file import MapUnusable, read_map
from airtally.rollups.maps.maps import SegmentMaps
from airtally.streams import AD_EVENTS
from fixtures.clicks import QUARTERS, click, counted


@pytest.fixture(autouse=True)
def separate_files(monkeypatch):
    """Each account has files of its own, as large ones have."""
    monkeypatch.setattr(segment_files, "OWN_ROWS", 1)


def map_files(home) -> list[Path]:
    return sorted((home.services.settings.home / "maps").rglob("*.arrow"))


def mapped() -> float:
    return metrics.MAPPED_ANSWERS.labels("ad_events")._value.get()


def answered_from_maps(home, slug: str = "acme") -> tuple[int, bool]:
    """The events counted, and whether maps answered."""
    before = mapped()
    events = counted(home, slug)
    return events, mapped() > before


def forget(home) -> None:
    """As a new process would begin: nothing is open."""
    home.services.storage.maps._open.clear()


def with_maps(home, most_bytes: int, **more) -> SegmentMaps:
    """Other maps in the same folder."""
    maps = SegmentMaps(home.services.settings.home / "maps", most_bytes, home.services.storage.rollups, **more)
    home.services.queries.answering._mapped._maps = maps
    return maps


def test_a_map_is_made_when_a_question_needs_it(home):
    assert map_files(home) == []
    assert answered_from_maps(home) == (20, True)
    assert len(map_files(home)) == 1
    assert answered_from_maps(home, "rival") == (1, True)
    assert len(map_files(home)) == 2


def test_the_next_process_reads_the_map_that_is_there(home):
    counted(home)
    made = metrics.MAPS_MADE.labels("ad_events_quarter")._value.get()
    home.restart()
    assert answered_from_maps(home) == (20, True)
    assert metrics.MAPS_MADE.labels("ad_events_quarter")._value.get() == made


@pytest.mark.parametrize("damage", ["cut", "zeros", "bit", "empty", "other version"])
def test_a_map_that_is_not_whole_is_made_anew(home, monkeypatch, damage):
    assert counted(home) == 20
    (path,) = map_files(home)
    content = path.read_bytes()
    match damage:
        case "cut":
            found = content[: len(content) // 2]
        case "zeros":
            found = content[: len(content) // 2] + bytes(len(content) - len(content) // 2)
        case "bit":
            columns = read_map(path)
            place = content.index(columns.measures["events"].figures.tobytes())
            found = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        case "empty":
            found = b""
        case _:
            monkeypatch.setattr(map_file, "VERSION", map_file.VERSION + 1)
            found = content
    draft = path.with_name("whole")
    draft.write_bytes(found)
    draft.replace(path)
    with pytest.raises(MapUnusable):
        read_map(path)
    forget(home)
    assert answered_from_maps(home) == (20, True)
    assert read_map(path).rows == 20


def test_a_map_that_is_gone_is_made_anew(home):
    assert counted(home) == 20
    for path in map_files(home):
        path.unlink()
    assert answered_from_maps(home) == (20, True)  # what is open stays readable
    forget(home)
    assert answered_from_maps(home) == (20, True)
    assert len(map_files(home)) == 1


def test_the_map_of_a_replaced_segment_is_removed(home):
    assert counted(home) == 20
    (before,) = map_files(home)
    home.send(AD_EVENTS, home.acme, [click(4)])
    home.flush()
    home.rebuild(AD_EVENTS)
    assert before not in map_files(home)
    assert answered_from_maps(home) == (21, True)
    assert len(map_files(home)) == 1


def test_rows_that_no_segment_has_are_added(home):
    assert counted(home) == 20
    home.send(AD_EVENTS, home.acme, [click(4), click(25)])
    assert answered_from_maps(home) == (22, True)
    home.send(AD_EVENTS, home.acme, [click(4)])
    assert answered_from_maps(home) == (23, True)
    home.flush()
    assert answered_from_maps(home) == (23, True)


def test_a_large_segment_is_mapped_in_the_background(home):
    maps = with_maps(home, 1 << 30, at_once_rows=10)
    assert answered_from_maps(home) == (20, False)
    assert maps.step() == 0.0
    assert answered_from_maps(home) == (20, True)


def test_what_a_death_left_is_swept_away(home, clock):
    counted(home)
    (path,) = map_files(home)
    orphan = path.with_name("base-of-no-segment.parquet.arrow")
    orphan.write_bytes(path.read_bytes())
    draft = path.with_name("base-x.arrow.0.draft")
    draft.write_bytes(b"")
    os.utime(draft, (0, 0))
    maps = home.services.storage.maps
    maps.step()
    assert orphan.exists()
    clock.advance(2 * HOUR_US // 1_000_000)
    maps.step()
    assert not orphan.exists()
    assert not draft.exists()
    assert map_files(home) == [path]


def test_with_no_room_the_engine_answers(new_home):
    home = new_home(maps=0)
    home.acme = home.account("acme")
    home.send(AD_EVENTS, home.acme, [click(day) for day in range(3)])
    home.flush()
    home.rebuild(AD_EVENTS)
    assert answered_from_maps(home) == (3, False)
    assert map_files(home) == []


def test_what_was_not_used_for_longest_makes_room(home):
    counted(home)
    (acme,) = map_files(home)
    size = acme.stat().st_size
    os.utime(acme, (0, 0))
    with_maps(home, size + 4000)
    assert answered_from_maps(home, "rival") == (1, True)
    assert len(map_files(home)) == 1
    assert acme not in map_files(home)


def test_a_map_larger_than_all_room_is_not_made(home):
    with_maps(home, 10)
    assert answered_from_maps(home) == (20, False)
    assert map_files(home) == []


class DiskFull(Faults):
    """While it is `full`, no map is written."""

    full = True

    def reach(self, point: str) -> None:
        if point == "maps.write" and self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_the_engine_answers_until_there_is_room(home):
    faults = DiskFull()
    with_maps(home, 1 << 30, faults=faults)
    assert answered_from_maps(home) == (20, False)
    faults.full = False
    assert answered_from_maps(home) == (20, True)


def test_the_maps_of_a_deleted_account_are_removed(home):
    counted(home)
    counted(home, "rival")
    rollups = home.services.storage.rollups
    view = rollups.table(QUARTERS).newest()
    files = [file for month in view.months("acme").values() for file in month.files]
    replace_files(rollups, rollups.table(QUARTERS), view, files, [])  # as the erasure of an account does
    assert [path.parts[-3] for path in map_files(home)] == ["account=rival"]
    assert not list((home.services.settings.home / "maps").rglob("account=acme"))


def test_a_process_that_dies_while_it_writes_leaves_no_map(home, monkeypatch):
    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(map_file, "publish_file", dies)
    with pytest.raises(KeyboardInterrupt):
        counted(home)
    monkeypatch.undo()
    assert map_files(home) == []
    assert answered_from_maps(home) == (20, True)
