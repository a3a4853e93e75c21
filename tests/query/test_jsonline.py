"""One line of JSON for each row, on both engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airtally.engine.protocol import Engine
from airtally.kit.time import DAY_US
from airtally.query.jsonline import EventDate, EventTime, Fixed, Integer, JsonLine, Text
from airtally.streams import AD_EVENTS, PLAYLOGS
from fixtures.lines import START, play, text_of
from fixtures.snapshots import HandMade

NASTY = ['"', "\\", "\\\"'", "\n\r\t\b\f", "".join(map(chr, range(1, 32))), "é漢😀", "$p0 :p0 ? {}", "' OR 1=1 --"]


def test_text_is_escaped_as_json_wants_it(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    source.compacted([play(number, 1, 1, "8:0:0", id=text) for number, text in enumerate(NASTY)])
    source.uncompacted([play(99, 1, 1, "8:0:0")])
    line = JsonLine((("p", Integer("player_id")), ("i'd\"\\\n", Text("id")), ("fix", Fixed(NASTY[2]))))
    rows = [json.loads(text) for text in text_of(engine, source, line=line).splitlines()]
    assert {row["p"]: row["i'd\"\\\n"] for row in rows} == {**dict(enumerate(NASTY)), 99: None}
    assert {row["fix"] for row in rows} == {NASTY[2]}


@pytest.mark.parametrize("field", [Integer("ip"), Text("player_id"), Integer("nothing"), Text("account")])
def test_a_column_of_another_type_is_refused(duckdb_engine: Engine, tmp_path: Path, field: Integer | Text) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    source.compacted([play(1, 1, 1, "8:0:0")])
    with pytest.raises(ValueError, match="column"):
        text_of(duckdb_engine, source, line=JsonLine((("x", field),)))


def test_a_line_is_compact_with_its_keys_in_order(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    source.compacted([play(-2, 48, 1, "8:0:0.999999")])
    line = JsonLine(
        (
            ("z", Fixed(7)),
            ("ip", Text("ip", plain=True)),
            ("a", Integer("player_id")),
            ("d", EventDate()),
            ("t", EventTime()),
        )
    )
    expected = '{"z":7,"ip":"0.0.0.0","a":-2,"d":"2026-10-01","t":"08:00:00"}\n'
    assert text_of(engine, source, line=line) == expected


def test_a_column_that_may_be_null_is_written_as_null(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, AD_EVENTS)
    event = {"ad_group_id": "g", "kind": "install", "time": START}
    source.compacted([event, event | {"time": START + DAY_US, "country": "DE", "count": 3}])
    line = JsonLine((("country", Text("country")), ("id", Text("id")), ("count", Integer("count"))))
    assert text_of(engine, source, line=line).splitlines() == [
        '{"country":"ZZ","id":null,"count":1}',
        '{"country":"DE","id":null,"count":3}',
    ]


def test_the_columns_of_a_line_are_those_of_its_fields() -> None:
    fields = (Fixed("x"), Text("ip"), EventDate(), EventTime(), Integer("player_id"))
    assert JsonLine(tuple((str(n), each) for n, each in enumerate(fields))).columns == ("ip", "player_id")
