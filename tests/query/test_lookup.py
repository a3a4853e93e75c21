"""Records by one column of their key, on both engines, as the whole listing has them."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airtally.engine.protocol import Engine
from airtally.kit.time import day_start_us
from airtally.query.changelog import Records
from airtally.query.service import Queries
from airtally.sql.filters import Equals
from airtally.streams import DEVICE_TAGS
from fixtures.snapshots import HandMade

NOW = day_start_us(date(2026, 10, 1))


def tag(hwid: str, name: str, value: str, version: int, **more: Any) -> dict[str, Any]:
    at_us = NOW + version * 1000
    stamps = {"create_time_utc": NOW, "last_update_time_utc": at_us, "received_at": at_us}
    return {"application": "A", "hwid": hwid, "tag": name, "value": value, **stamps, **more}


def last_by(queries: Queries, hwid: str) -> list[tuple[str | None, str, str, int]]:
    found = queries.last_by(DEVICE_TAGS, "acme", "hwid", hwid)
    return sorted(
        ((row["application"], row["tag"], row["value"], row["is_deleted"]) for row in found),
        key=lambda row: (row[0] or "", row[1]),
    )


def test_the_last_version_wherever_it_lies(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, DEVICE_TAGS)
    source.compacted([tag("h", "a", "1", 1), tag("h", "b", "1", 1), tag("other", "a", "9", 1)])
    source.uncompacted([tag("h", "b", "2", 2, is_deleted=1), tag("h", "c", "1", 5)])
    source.buffered(
        [
            tag("h", "a", "2", 3),
            tag("h", "c", "0", 4),
            tag("h", "s", "1", 1, application=None),
            tag("h", "a", "theirs", 9, account="rival"),
        ]
    )
    queries = Queries(engine, source)
    for _ in range(2):  # the second time its text is known
        assert last_by(queries, "h") == [
            (None, "s", "1", 0),
            ("A", "a", "2", 0),
            ("A", "b", "2", 1),
            ("A", "c", "1", 0),
        ]
        assert last_by(queries, "other") == [("A", "a", "9", 0)]
        assert last_by(queries, "' OR 1=1 --") == []


@pytest.mark.parametrize("seed", range(5))
def test_as_the_listing_has_it(engine: Engine, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    source = HandMade(tmp_path, DEVICE_TAGS)
    for put in (source.compacted, source.uncompacted, source.uncompacted, source.buffered, source.buffered):
        put(
            [
                tag(
                    chance.choice("hi"),
                    chance.choice("ab"),
                    str(number),
                    chance.randrange(6),
                    is_deleted=chance.randrange(2),
                    received_at=NOW + chance.randrange(4),
                )
                for number in range(6)
            ]
        )
    queries = Queries(engine, source)
    for hwid in "hi":
        listed = queries.records(Records(DEVICE_TAGS, "acme", Equals("hwid", hwid), deleted=True)).table.to_pylist()
        found = queries.last_by(DEVICE_TAGS, "acme", "hwid", hwid)
        assert sorted(found, key=lambda row: row["tag"]) == listed
