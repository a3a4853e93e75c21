"""Records as they are now and the versions they have had, on both engines."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from airtally.engine.protocol import Engine
from airtally.kit.time import SECOND_US, day_start_us
from airtally.query.changelog import Order, Records, VersionsQuery
from airtally.query.service import Queries
from airtally.sql.filters import AllOf, Contains, Equals, OneOf
from airtally.streams import AD_GROUPS, DEVICE_TAGS, PLAYERS, PLAYLOGS
from fixtures.snapshots import HandMade

NOW = day_start_us(date(2026, 10, 1))


def player(number: int, name: str, version: int, **more: Any) -> dict[str, Any]:
    at_us = NOW + version * 1000
    return {
        "player_id": number,
        "name": name,
        "create_time_utc": NOW,
        "last_update_time_utc": at_us,
        "received_at": at_us,
        **more,
    }


@pytest.fixture
def players(tmp_path: Path) -> HandMade:
    source = HandMade(tmp_path, PLAYERS)
    source.compacted([player(1, "Hall", 1), player(2, "Window", 1), player(3, "Gone", 1), player(4, "Back", 1)])
    source.uncompacted([player(3, "Gone", 2, is_deleted=1), player(4, "Back", 2, is_deleted=1), player(1, "Lobby", 5)])
    source.buffered(
        [
            player(4, "back again", 3),
            player(1, "late word of old", 2, received_at=NOW + SECOND_US),
            player(5, "Other's", 1, account="other"),
        ]
    )
    return source


def names(queries: Queries, **more: Any) -> list[str]:
    return queries.records(Records(PLAYERS, "acme", **more)).table["name"].to_pylist()


def test_the_latest_version_is_the_record(engine: Engine, players: HandMade) -> None:
    queries = Queries(engine, players)
    assert names(queries) == ["Lobby", "Window", "back again"]
    assert names(queries, deleted=True) == ["Lobby", "Window", "Gone", "back again"]
    assert names(queries, where=Equals("player_id", 1)) == ["Lobby"]
    assert names(queries, where=Equals("name", "Hall")) == []
    assert names(queries, where=AllOf((OneOf("player_id", (1, 4)), Contains("name", "BACK", fold_case=True)))) == [
        "back again"
    ]


def test_pages_and_orders(engine: Engine, players: HandMade) -> None:
    queries = Queries(engine, players)
    page = queries.current(PLAYERS, "acme", order=("player_id",), limit=2, offset=1)
    assert page.table["name"].to_pylist() == ["Window", "back again"]
    assert (page.total, page.data_through_us) == (3, 17)
    past = queries.current(PLAYERS, "acme", limit=2, offset=100)
    assert (past.table.num_rows, past.total) == (0, 3)
    assert names(queries, order=(Order("name", descending=True),)) == ["back again", "Window", "Lobby"]
    assert page.table.schema.names == PLAYERS.row_schema.names


def test_nulls_come_last_in_both_directions(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYERS)
    source.compacted([player(1, "a", 1), player(2, "b", 1, group_id=7), player(3, "c", 1, group_id=9)])
    queries = Queries(engine, source)
    assert names(queries, order=(Order("group_id"),)) == ["b", "c", "a"]
    assert names(queries, order=(Order("group_id", descending=True),)) == ["c", "b", "a"]


def test_versions_are_told_apart_by_key_and_time(engine: Engine, players: HandMade) -> None:
    players.uncompacted([player(1, "Lobby", 5, received_at=NOW + 2 * SECOND_US)])
    queries = Queries(engine, players)
    found = queries.versions_of(PLAYERS, "acme", pa.table({"player_id": pa.array([1, 77], pa.int64())}))
    assert sorted(found["name"].to_pylist()) == ["Hall", "Lobby", "late word of old"]
    assert found.schema.names == PLAYERS.row_schema.names
    assert queries.versions(VersionsQuery(PLAYERS, "acme")).num_rows == 9
    assert queries.versions(VersionsQuery(PLAYERS, "acme", where=Equals("is_deleted", 1))).num_rows == 2


def test_keys_without_case_and_keys_with_nulls(engine: Engine, tmp_path: Path) -> None:
    stamps = {"create_time_utc": NOW, "last_update_time_utc": NOW, "received_at": NOW}
    groups = HandMade(tmp_path / "groups", AD_GROUPS)
    group = {"platform": "iOS", **stamps}
    groups.compacted([{"ad_group_id": "ABC", "name": "old", **group}])
    groups.buffered([{"ad_group_id": "abc", "name": "new", **group, "last_update_time_utc": NOW + 1000}])
    queries = Queries(engine, groups)
    assert queries.current(AD_GROUPS, "acme").table["name"].to_pylist() == ["new"]
    found = queries.versions_of(AD_GROUPS, "acme", pa.table({"ad_group_id": ["Abc"]}))
    assert sorted(found["name"].to_pylist()) == ["new", "old"]

    tags = HandMade(tmp_path / "tags", DEVICE_TAGS)
    tag = {"hwid": "h", "tag": "t", **stamps}
    tags.compacted([{"application": None, "value": "1", **tag}, {"application": "A", "value": "2", **tag}])
    keys = pa.table({"application": pa.array([None], pa.string()), "hwid": ["h"], "tag": ["t"]})
    queries = Queries(engine, tags)
    assert queries.versions_of(DEVICE_TAGS, "acme", keys)["value"].to_pylist() == ["1"]
    assert queries.current(DEVICE_TAGS, "acme").total == 2


def test_an_empty_changelog(engine: Engine, tmp_path: Path) -> None:
    queries = Queries(engine, HandMade(tmp_path, PLAYERS))
    page = queries.current(PLAYERS, "acme", limit=10)
    assert (page.table.num_rows, page.total) == (0, 0)
    assert queries.versions_of(PLAYERS, "acme", pa.table({"player_id": pa.array([1], pa.int64())})).num_rows == 0


def test_what_has_no_versions_is_refused() -> None:
    with pytest.raises(ValueError, match="no versions"):
        Records(PLAYLOGS, "acme")
    with pytest.raises(ValueError, match="no column 'nothing'"):
        Records(PLAYERS, "acme", order=("nothing",))
