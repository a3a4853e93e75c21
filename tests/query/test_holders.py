"""Devices for each value of a tag, alike on both engines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airtally.engine.protocol import Engine
from airtally.query.holders import Holders, holder_lines
from airtally.query.service import Queries
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams import DEVICE_TAGS, DEVICES
from airtally.streams.declaration import Stream
from fixtures.snapshots import HandMade

DAY = 86_400_000_000


class Both:
    """Devices and their tags, `at` in days."""

    def __init__(self, folder: Path) -> None:
        self.tags, self.devices = HandMade(folder / "tags", DEVICE_TAGS), HandMade(folder / "devices", DEVICES)
        self.placed = 0

    def snapshot(self, stream: Stream, account: str, **more: Any) -> Snapshot:
        return (self.tags if stream is DEVICE_TAGS else self.devices).snapshot(stream, account, **more)

    def tag(self, application: str | None, hwid: str, value: Any, at: int = 1, tag: str = "T", **more: Any) -> None:
        text = None if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        row = {"application": application, "hwid": hwid, "tag": tag, "value": text, "last_update_time_utc": at * DAY}
        self._put(self.tags, row | more)

    def device(self, application: str, hwid: str, at: int = 1, **more: Any) -> None:
        self._put(self.devices, {"application": application, "hwid": hwid, "last_update_time_utc": at * DAY} | more)

    def _put(self, made: HandMade, row: dict[str, Any]) -> None:
        """Into a clean file, a fresh one and the buffer in turn."""
        self.placed += 1
        (made.compacted, made.uncompacted, made.buffered)[self.placed % 3]([row])


@pytest.fixture
def both(tmp_path: Path) -> Both:
    return Both(tmp_path)


def text(engine: Engine, both: Both, *applications: str, **more: Any) -> str:
    lines, through = holder_lines(Queries(engine, both), Holders("acme", "T", applications, **more))
    assert through == 17
    return b"".join(bytes(each.data) for each in lines).decode()


def test_current_values_of_devices_that_are_there(engine: Engine, both: Both) -> None:
    both.tag("X", "replaced", "old", 1)
    both.tag("X", "replaced", "new", 2)
    both.tag("X", "removed", "old", 1)
    both.tag("X", "removed", None, 2)
    both.tag("X", "deleted", "old", 1)
    both.tag("X", "deleted", "old", 2, is_deleted=1)
    both.tag("X", "gone", "old")
    both.device("X", "gone", 1)
    both.device("X", "gone", 2, is_deleted=1)
    both.tag("X", "back", "new")
    both.device("X", "back", 1, is_deleted=1)
    both.device("X", "back", 2)
    both.device("Y", "replaced", 3, is_deleted=1)
    both.tag("X", "another", "other", tag="U")
    both.tag("X", "stranger", "secret", account="rival")
    both.tag("Z", "elsewhere", "not asked for")
    both.tag(None, "replaced", "shared")
    assert text(engine, both, "X", "Y") == "X;new;2\n"
    assert text(engine, both) == text(engine, both, "Q") == ""


def test_order_of_applications_then_numbers_then_bytes(engine: Engine, both: Both) -> None:
    for hwid, value in enumerate(["b", "b", "a", "Z", "é", "z", "", "🙂", "￿"]):
        both.tag("B", str(hwid), value)
    both.tag("A", "1", "a")
    expected = "".join(f"B;{value};1\n" for value in ["", "Z", "a", "z", "é", "￿", "🙂"])
    assert text(engine, both, "B", "A") == "B;b;2\n" + expected + "A;a;1\n"


def test_quotes_only_where_they_must_be(engine: Engine, both: Both) -> None:
    for hwid, value in enumerate(['a;b "c"', "line\nbreak", "c\rr", "back\\slash", "a,b", "it's"]):
        both.tag("X;1", str(hwid), value)
    assert text(engine, both, "X;1") == (
        '"X;1";a,b;1\n"X;1";"a;b ""c""";1\n"X;1";back\\slash;1\n"X;1";"c\rr";1\n"X;1";it\'s;1\n"X;1";"line\nbreak";1\n'
    )


def test_values_as_they_are_written(engine: Engine, both: Both) -> None:
    for hwid, value in enumerate([5, -7, True, False, "2026-03-10 12:00", "1.2.3"]):
        both.tag("X", str(hwid), value)
    assert text(engine, both, "X") == "X;-7;1\nX;1.2.3;1\nX;2026-03-10 12:00;1\nX;5;1\nX;false;1\nX;true;1\n"


def test_decimals_have_two_places(engine: Engine, both: Both) -> None:
    for hwid, value in enumerate([1, 1.0, 1.004, 2.5, -0.01, 1e-05]):
        both.tag("X", str(hwid), value)
    assert text(engine, both, "X", decimal=True) == "X;1.00;3\nX;-0.01;1\nX;0.00;1\nX;2.50;1\n"


def test_each_element_of_a_list_counts_once_a_device(engine: Engine, both: Both) -> None:
    both.tag("X", "1", ["news", "sport", "news"])
    both.tag("X", "2", ["sport", ";"])
    both.tag("X", "3", [])
    both.tag("X", "4", "no list")
    assert text(engine, both, "X", listed=True) == 'X;sport;2\nX;";";1\nX;news;1\n'


def test_a_shared_tag_counts_wherever_the_device_is_registered(engine: Engine, both: Both) -> None:
    both.tag(None, "1", "fr")
    both.tag(None, "2", "fr")
    both.tag(None, "nowhere", "fr")
    both.tag("X", "3", "of X alone")
    for application, hwid in (("X", "1"), ("Y", "1"), ("Y", "2"), ("Z", "1"), ("X", "3")):
        both.device(application, hwid)
    both.device("Z", "2", 1)
    both.device("Z", "2", 2, is_deleted=1)
    assert text(engine, both, "Y", "X", "Z", shared=True) == "Y;fr;2\nX;fr;1\nZ;fr;1\n"
    assert text(engine, both, "X", shared=True) == "X;fr;1\n"
