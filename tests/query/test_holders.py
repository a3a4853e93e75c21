"""Devices for each value of a tag, alike on both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airtally.engine.protocol import Engine
from airtally.query.holders import Holders, holder_lines
from airtally.query.service import Queries
from fixtures.device_tags import TaggedDevices


@pytest.fixture
def tagged(tmp_path: Path) -> TaggedDevices:
    return TaggedDevices(tmp_path)


def text(engine: Engine, tagged: TaggedDevices, *applications: str, **more: Any) -> str:
    lines, through = holder_lines(Queries(engine, tagged), Holders("acme", "T", applications, **more))
    assert through == 17
    return b"".join(bytes(each.data) for each in lines).decode()


def test_current_values_of_devices_that_are_there(engine: Engine, tagged: TaggedDevices) -> None:
    tagged.tag("X", "replaced", "old", 1)
    tagged.tag("X", "replaced", "new", 2)
    tagged.tag("X", "removed", "old", 1)
    tagged.tag("X", "removed", None, 2)
    tagged.tag("X", "deleted", "old", 1)
    tagged.tag("X", "deleted", "old", 2, is_deleted=1)
    tagged.tag("X", "gone", "old")
    tagged.device("X", "gone", 1)
    tagged.device("X", "gone", 2, is_deleted=1)
    tagged.tag("X", "back", "new")
    tagged.device("X", "back", 1, is_deleted=1)
    tagged.device("X", "back", 2)
    tagged.device("Y", "replaced", 3, is_deleted=1)
    tagged.tag("X", "another", "other", tag="U")
    tagged.tag("X", "stranger", "secret", account="rival")
    tagged.tag("Z", "elsewhere", "not asked for")
    tagged.tag(None, "replaced", "shared")
    assert text(engine, tagged, "X", "Y") == "X;new;2\n"
    assert text(engine, tagged) == text(engine, tagged, "Q") == ""


def test_order_of_applications_then_numbers_then_bytes(engine: Engine, tagged: TaggedDevices) -> None:
    for hwid, value in enumerate(["b", "b", "a", "Z", "é", "z", "", "🙂", "￿"]):
        tagged.tag("B", str(hwid), value)
    tagged.tag("A", "1", "a")
    expected = "".join(f"B;{value};1\n" for value in ["", "Z", "a", "z", "é", "￿", "🙂"])
    assert text(engine, tagged, "B", "A") == "B;b;2\n" + expected + "A;a;1\n"


def test_quotes_only_where_they_must_be(engine: Engine, tagged: TaggedDevices) -> None:
    for hwid, value in enumerate(['a;b "c"', "line\nbreak", "c\rr", "back\\slash", "a,b", "it's"]):
        tagged.tag("X;1", str(hwid), value)
    assert text(engine, tagged, "X;1") == (
        '"X;1";a,b;1\n"X;1";"a;b ""c""";1\n"X;1";back\\slash;1\n"X;1";"c\rr";1\n"X;1";it\'s;1\n"X;1";"line\nbreak";1\n'
    )


def test_values_as_they_are_written(engine: Engine, tagged: TaggedDevices) -> None:
    for hwid, value in enumerate([5, -7, True, False, "2026-03-10 12:00", "1.2.3"]):
        tagged.tag("X", str(hwid), value)
    assert text(engine, tagged, "X") == "X;-7;1\nX;1.2.3;1\nX;2026-03-10 12:00;1\nX;5;1\nX;false;1\nX;true;1\n"


def test_decimals_have_two_places(engine: Engine, tagged: TaggedDevices) -> None:
    for hwid, value in enumerate([1, 1.0, 1.004, 2.5, -0.01, 1e-05]):
        tagged.tag("X", str(hwid), value)
    assert text(engine, tagged, "X", decimal=True) == "X;1.00;3\nX;-0.01;1\nX;0.00;1\nX;2.50;1\n"


def test_each_element_of_a_list_counts_once_a_device(engine: Engine, tagged: TaggedDevices) -> None:
    tagged.tag("X", "1", ["news", "sport", "news"])
    tagged.tag("X", "2", ["sport", ";"])
    tagged.tag("X", "3", [])
    tagged.tag("X", "4", "no list")
    assert text(engine, tagged, "X", listed=True) == 'X;sport;2\nX;";";1\nX;news;1\n'


def test_a_shared_tag_counts_wherever_the_device_is_registered(engine: Engine, tagged: TaggedDevices) -> None:
    tagged.tag(None, "1", "fr")
    tagged.tag(None, "2", "fr")
    tagged.tag(None, "nowhere", "fr")
    tagged.tag("X", "3", "of X alone")
    for application, hwid in (("X", "1"), ("Y", "1"), ("Y", "2"), ("Z", "1"), ("X", "3")):
        tagged.device(application, hwid)
    tagged.device("Z", "2", 1)
    tagged.device("Z", "2", 2, is_deleted=1)
    assert text(engine, tagged, "Y", "X", "Z", shared=True) == "Y;fr;2\nX;fr;1\nZ;fr;1\n"
    assert text(engine, tagged, "X", shared=True) == "X;fr;1\n"
