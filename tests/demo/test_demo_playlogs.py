from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import pyarrow.compute as pc
import pytest

from airtally.demo.network import build
from airtally.demo.playlogs import Playlogs
from airtally.demo.venues import NEPAL
from airtally.kit.time import to_datetime
from airtally.streams.playlogs import PLAYLOGS

SMALL = Playlogs(seed=7, days=9, end_day=date(2026, 10, 9), players=12, rows=60_000)


def text(playlogs: Playlogs) -> bytes:
    return b"".join(playlogs.lines())


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    again = Playlogs(seed=7, days=9, end_day=date(2026, 10, 9), players=12, rows=60_000)
    other = Playlogs(seed=8, days=9, end_day=date(2026, 10, 9), players=12, rows=60_000)
    assert text(SMALL) == text(again) != text(other)


def test_chunks_change_nothing() -> None:
    assert b"".join(SMALL.lines(chunk_rows=777)) == text(SMALL)


@pytest.mark.parametrize("rows", [1, 1_000, 59_999, 200_000])
def test_the_rows_wanted_are_reached_exactly(rows: int) -> None:
    playlogs = Playlogs(days=5, players=None, rows=rows)
    assert playlogs.total == rows == text(playlogs).count(b"\n") == sum(len(table) for table in playlogs.tables())


def test_too_few_players_are_an_error() -> None:
    with pytest.raises(ValueError, match="1 players play"):
        _ = Playlogs(days=2, players=1, rows=1_000_000).uploads


def test_lines_and_tables_hold_the_same_rows() -> None:
    rows = [row for table in SMALL.tables() for row in table.to_pylist()]
    lines = [json.loads(line) for line in text(SMALL).splitlines()]
    for line in lines:
        line["played_at"] = datetime.fromisoformat(line["played_at"] + "+00:00")
    assert lines == rows
    assert next(SMALL.tables()).schema.equals(PLAYLOGS.row_schema)


def test_players_play_in_opening_hours_one_media_at_a_time() -> None:
    players = {player.player_id: player for player in SMALL.network.players}
    medias = {media.media_id: media.seconds for media in SMALL.network.medias}
    plays = sorted({(row["player_id"], row["played_at"]): row["media_id"] for row in _rows(SMALL)}.items())
    for (player, at), _ in plays:
        hours = players[player].kind.hours[at.weekday()]
        assert hours is not None
        assert hours[0] <= at.hour * 60 + at.minute < hours[1]
    for ((player, at), media), ((next_player, next_at), _) in pairwise(plays):
        assert player != next_player or (next_at - at).total_seconds() >= medias[media] - 4


def test_ids_repeat_only_as_whole_retries() -> None:
    rows = _rows(SMALL)
    times = Counter(row["id"] for row in rows)
    assert set(times.values()) == {1, 2}
    distinct = {tuple(sorted(row.items())) for row in rows}
    assert len(distinct) == len(times)


def test_without_ids_nothing_repeats() -> None:
    rows = _rows(Playlogs(days=9, players=12, rows=60_000, ids=False))
    assert {row["id"] for row in rows} == {None}
    assert len({(row["player_id"], row["played_at"]) for row in rows}) == len(rows)
    assert b'"id"' not in text(Playlogs(days=2, rows=500, ids=False))


def test_some_uploads_arrive_days_late_and_some_hours_are_missing() -> None:
    playlogs = Playlogs(days=20, players=20, rows=None)
    late = [up for up in playlogs.uploads if up.arrives - _midnight(up.day) > 2 * 86_400]
    assert 0 < len(late) < len(playlogs.uploads) / 5
    full = max(up.laps * up.lap_seconds for up in playlogs.uploads)
    assert any(up.laps * up.lap_seconds < full / 2 for up in playlogs.uploads)


def test_the_month_grows_rests_on_sundays_and_has_an_outage() -> None:
    """Of plays as they happened, whenever their logs arrived."""
    playlogs = Playlogs(days=31, end_day=date(2026, 10, 31), players=40, rows=60_000)
    hours = Counter((row["played_at"].date(), row["played_at"].hour) for row in _rows(playlogs))
    days = Counter[date]()
    for (day, _), plays in hours.items():
        days[day] += plays
    assert days[date(2026, 10, 29)] > 1.2 * days[date(2026, 10, 1)]  # Thursdays
    assert days[date(2026, 10, 18)] < 0.7 * days[date(2026, 10, 16)]  # a Sunday and the Friday before

    def afternoon(day: int) -> int:
        return sum(hours[date(2026, 10, day), hour] for hour in range(12, 17))

    assert 0 < afternoon(23) < 0.25 * afternoon(16)  # Fridays
    assert hours[date(2026, 10, 23), 18] > 0.5 * hours[date(2026, 10, 16), 18]


def test_the_campaign_runs_on_its_days_only() -> None:
    playlogs = Playlogs(days=12, end_day=date(2026, 10, 12), players=24, rows=None)
    spots = {media.media_id for media in playlogs.network.medias if media.category == "Spring campaign"}
    days = {row["played_at"].date() for row in _rows(playlogs) if row["media_id"] in spots}
    assert days == {date(2026, 10, day) for day in (5, 6, 7, 8)}


def test_what_is_still_to_come_has_not_arrived() -> None:
    playlogs = Playlogs(days=3, end_day=date(2026, 10, 3), players=12, rows=None, now=datetime(2026, 10, 3, 12))
    latest = max(pc.max(table.column("played_at")).as_py() for table in playlogs.tables())
    assert datetime.fromisoformat("2026-10-03T10:00:00+00:00") < latest
    assert latest < datetime.fromisoformat("2026-10-03T12:00:00+00:00")


def test_a_file_holds_all_lines(tmp_path: Path) -> None:
    assert SMALL.write(tmp_path / "plays.ndjson") == 60_000
    SMALL.write(tmp_path / "plays.ndjson.gz")
    assert (tmp_path / "plays.ndjson").read_bytes() == text(SMALL)
    assert gzip.decompress((tmp_path / "plays.ndjson.gz").read_bytes()) == text(SMALL)


def test_rows_of_players_and_medias_name_what_the_playlogs_hold() -> None:
    now_us = 1_790_000_000_000_000
    network = build(3, 25, NEPAL)
    rows = network.player_rows(now_us)
    assert [row["player_id"] for row in rows] == list(range(1, 26))
    assert all(row["last_contact_at"] <= to_datetime(now_us).isoformat() for row in rows[:-1])
    assert "last_contact_at" not in rows[-1]
    played = {media.media_id for loop in network.loops.values() for media in loop}
    assert played <= {row["media_id"] for row in network.media_rows()}


def _rows(playlogs: Playlogs) -> list[dict]:
    return [row for table in playlogs.tables() for row in table.to_pylist()]


def _midnight(day: date) -> int:
    return int(datetime.fromisoformat(f"{day}T00:00:00+00:00").timestamp())
