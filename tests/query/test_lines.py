"""Rows as lines of JSON, on both engines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airtally.engine.protocol import Engine
from airtally.kit.time import DAY_US, SECOND_US
from airtally.query.lines import Extract, OrderedBy, lines
from airtally.query.service import Queries
from airtally.sql.filters import AllOf, OneOf
from airtally.streams import PLAYLOGS
from fixtures.lines import LINE, START, play, text_both_ways, text_of
from fixtures.snapshots import HandMade


@pytest.fixture
def plays(tmp_path: Path) -> HandMade:
    made = HandMade(tmp_path, PLAYLOGS)
    made.compacted([play(2, 48, 1, "8:0:0"), play(4, 48, 1, "23:59:59"), play(4, 51, 2, "0:0:0")])
    made.uncompacted([play(2, 51, 1, "8:0:10"), play(9, 9, 1, "8:0:0", account="other")])
    made.buffered([play(2, 48, 31, "12:0:0")])
    return made


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


def test_lists_of_hundreds_of_ids_and_both_conditions(engine: Engine, plays: HandMade) -> None:
    where = AllOf((OneOf("player_id", tuple(range(4, 700))), OneOf("media_id", (51,))))
    assert plays_of(text_of(engine, plays, where=where)) == [FOURTH]
    assert text_of(engine, plays, where=OneOf("media_id", (1 << 70,))) == ""
    assert text_of(engine, plays, where=OneOf("player_id", ())) == ""


def test_an_interval_within_a_day_is_half_open_to_the_microsecond(engine: Engine, plays: HandMade) -> None:
    at_us = START + 8 * 3600 * SECOND_US
    assert plays_of(text_of(engine, plays, start_us=at_us, end_us=at_us + SECOND_US)) == [FIRST]
    assert plays_of(text_of(engine, plays, start_us=at_us, end_us=at_us + 11 * SECOND_US)) == [FIRST, SECOND]
    assert text_of(engine, plays, start_us=at_us, end_us=at_us) == ""


def test_half_a_second_before_midnight_is_cut_and_stays_on_its_day(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    source.compacted([play(1, 2, 1, "23:59:59.9"), play(1, 1, 1, "23:59:59.5"), play(1, 3, 1, "23:59:59.999999")])
    source.uncompacted([play(1, 4, 2, "0:0:0.000001")])
    expected = [("2026-10-01", "23:59:59", 1, media) for media in (2, 1, 3)] + [("2026-10-02", "00:00:00", 1, 4)]
    assert plays_of(text_of(engine, source)) == expected
    assert plays_of(text_of(engine, source, descending=True)) == expected[::-1]


def test_within_a_second_lines_are_in_order_of_arrival(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    order = [(1, "a", 5), (1, "b", 2), (1, "b", 3), (2, "a", 1)]
    rows = [
        play(1, number, 1, "8:0:0", received_at=received_at, writer_id=writer_id, sequence=sequence)
        for number, (received_at, writer_id, sequence) in enumerate(order)
    ]
    source.uncompacted([rows[2], rows[0]])
    source.buffered([rows[3], rows[1]])
    assert [media for *_, media in plays_of(text_of(engine, source))] == [0, 1, 2, 3]
    assert [media for *_, media in plays_of(text_of(engine, source, descending=True))] == [3, 2, 1, 0]


def test_counts_of_days(engine: Engine, plays: HandMade) -> None:
    extract = Extract(PLAYLOGS, "acme", LINE, START, START + 31 * DAY_US)
    rows = Queries(engine, plays).answer(extract.counts).table.to_pylist()
    assert {(row["bucket"] - START) // DAY_US: row["lines"] for row in rows} == {0: 3, 1: 1, 30: 1}


def test_rows_that_do_not_fit_in_memory_are_put_in_order_by_the_engine(duckdb_engine: Engine, plays: HandMade) -> None:
    """Each day by itself: one that is small enough is put in order in memory."""
    plays.compacted([play(number, 48, 2, "0:0:1") for number in range(1000)])
    extract = Extract(PLAYLOGS, "acme", LINE, START, START + 31 * DAY_US)
    snapshot = Queries(duckdb_engine, plays).snapshot(
        PLAYLOGS, "acme", start_us=extract.start_us, end_us=extract.end_us
    )
    found = list(lines(duckdb_engine, extract, snapshot, memory=20_000))
    assert [each.ordered_by for each in found] == [OrderedBy.MEMORY, OrderedBy.ENGINE, OrderedBy.MEMORY]
    assert [each.rows for each in found] == [3, 1001, 1]
    text_both_ways(duckdb_engine, extract, snapshot)
