"""Rows as lines of JSON, on both engines."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airtally.engine.protocol import Engine
from airtally.kit.time import DAY_US, SECOND_US, day_start_us
from airtally.query.lines import EventDate, EventTime, Extract, Fixed, Integer, JsonLine, Text, lines
from airtally.query.service import Queries
from airtally.streams import PLAYLOGS
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 10, 1))
LINE = JsonLine(
    (
        ("account", Fixed("acme-1A2B3C")),
        ("date", EventDate()),
        ("time", EventTime()),
        ("playerId", Integer("player_id")),
        ("mediaId", Integer("media_id")),
        ("ip", Text("ip", plain=True)),
        ("type", Text("type", plain=True)),
    )
)


def play(player: int, media: int, day: int, text: str, **more: Any) -> dict[str, Any]:
    hour, minute, second = text.split(":")
    seconds = int(hour) * 3600 + int(minute) * 60 + float(second)
    at_us = START + (day - 1) * DAY_US + round(seconds * SECOND_US)
    return {"player_id": player, "media_id": media, "played_at": at_us, **more}


@pytest.fixture
def plays(tmp_path: Path) -> HandMade:
    made = HandMade(tmp_path, PLAYLOGS)
    made.clean([play(2, 48, 1, "8:0:0"), play(4, 48, 1, "23:59:59"), play(4, 51, 2, "0:0:0")])
    made.fresh([play(2, 51, 1, "8:0:10"), play(9, 9, 1, "8:0:0", account="other")])
    made.buffered([play(2, 48, 31, "12:0:0")])
    return made


def text_of(engine: Engine, source: HandMade, **changes: Any) -> str:
    wanted: dict[str, Any] = {"start_us": START, "end_us": START + 31 * DAY_US, "line": LINE, **changes}
    extract = Extract(stream=source.stream, account="acme", **wanted)
    snapshot = Queries(engine, source).snapshot(source.stream, "acme", start_us=extract.start_us, end_us=extract.end_us)
    found = list(lines(engine, extract, snapshot))
    text = b"".join(part.data for part in found).decode()
    assert sum(part.rows for part in found) == text.count("\n")
    return text


def plays_of(text: str) -> list[tuple[str, str, int, int]]:
    rows = [json.loads(line) for line in text.splitlines()]
    return [(row["date"], row["time"], row["playerId"], row["mediaId"]) for row in rows]


FIRST = ("2026-10-01", "08:00:00", 2, 48)
SECOND = ("2026-10-01", "08:00:10", 2, 51)
THIRD = ("2026-10-01", "23:59:59", 4, 48)
FOURTH = ("2026-10-02", "00:00:00", 4, 51)
FIFTH = ("2026-10-31", "12:00:00", 2, 48)


def test_lines_are_exact_and_in_order_of_time(engine: Engine, plays: HandMade) -> None:
    text = text_of(engine, plays)
    assert text.splitlines()[0] == (
        '{"account":"acme-1A2B3C","date":"2026-10-01","time":"08:00:00",'
        '"playerId":2,"mediaId":48,"ip":"0.0.0.0","type":"I"}'
    )
    assert plays_of(text) == [FIRST, SECOND, THIRD, FOURTH, FIFTH]
    assert plays_of(text_of(engine, plays, descending=True)) == [FIFTH, FOURTH, THIRD, SECOND, FIRST]
