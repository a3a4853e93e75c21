"""Conditions on the members of a JSON column, alike on both engines."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airtally.engine.protocol import Engine
from airtally.kit.time import day_start_us
from airtally.query.question import Dimension, Metric, Question
from airtally.query.service import Queries
from airtally.sql.filters import (
    AllOf,
    AnyOf,
    Begins,
    Between,
    Equals,
    Filter,
    Holds,
    IsNull,
    Member,
    Names,
    Not,
    OneOf,
)
from airtally.streams import APP_EVENTS, MEDIAS
from airtally.streams.declaration import Type
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 3, 10))
ODD = ["a.b", "a'b", 'a"b', "a\\b", "$x", "/x", "a~b/c", "a[0]", "*", "é", "", "a b", "p0"]

#: The attributes of each event, by the second of its time.
ATTRIBUTES: list[dict[str, Any] | None] = [
    {"source": "push", "items": 1, "price": 1.5, "vip": True, "topics": ["news", "sport"]},
    {"source": "mail", "items": 4, "price": 2, "vip": False, "topics": ["sport"], "when": "2026-03-10 12:00"},
    {"source": 'x"y\\z; é\n', "items": -9, "price": -0.01, "topics": [], "when": "2026-03-09 23:59"},
    {"items": 9223372036854775807, "price": 1e-05, "topics": ['a,"b', ",", "]"]},
    {name: name for name in ODD},
    {"source": "", "items": 5.6, "price": "free", "topics": "sport"},
    {},
    None,
]
SOURCE, TOPICS = Member("attributes", "source"), Member("attributes", "topics")
ITEMS, PRICE = Member("attributes", "items", Type.INT64), Member("attributes", "price", Type.DECIMAL)
WHEN = Member("attributes", "when")
MANY = tuple(map(str, range(100)))

CASES: list[tuple[Filter, set[int]]] = [
    (Equals(SOURCE, "push"), {0}),
    (Equals(SOURCE, ""), {5}),
    (Equals(SOURCE, 'x"y\\z; é\n'), {2}),
    (OneOf(SOURCE, ("push", "mail", "Push")), {0, 1}),
    (OneOf(SOURCE, (*map(str, range(100)), "mail")), {1}),
    (IsNull(SOURCE), {3, 4, 6, 7}),
    (AllOf((Not(IsNull(SOURCE)), Not(Equals(SOURCE, "push")))), {1, 2, 5}),
    (Not(Equals(SOURCE, "push")), {1, 2, 5}),
    (Equals(ITEMS, 1), {0}),
    (Between(ITEMS, 1, 5), {0, 1}),
    (Between(ITEMS, at_least=5), {3}),
    (Between(ITEMS, 1, at_most=4), {0, 1}),
    (Between(ITEMS, at_most=1 << 70), {0, 1, 2, 3}),
    (Between(ITEMS, 4, at_most=1), set()),
    (Between(ITEMS, below=1), {2}),
    (OneOf(ITEMS, (9223372036854775807, 4, 1 << 70)), {1, 3}),
    (OneOf(ITEMS, tuple(range(100))), {0, 1}),
    (IsNull(ITEMS), {4, 5, 6, 7}),
    (Equals(PRICE, "1.50"), {0}),
    (Equals(PRICE, 2), {1}),
    (Equals(PRICE, 0), {3}),
    (Between(PRICE, "-0.01", "1.51"), {0, 2, 3}),
    (Between(PRICE, at_most="1.5"), {0, 2, 3}),
    (OneOf(PRICE, tuple(range(100))), {1, 3}),
    (Equals(Member("attributes", "vip"), "true"), {0}),
    (Equals(Member("attributes", "vip"), "false"), {1}),
    (Between(WHEN, "2026-03-10 00:00", "2026-03-11 00:00"), {1}),
    (Between(WHEN, below="2026-03-10 00:00"), {2}),
    (Holds(TOPICS, ("sport", "none")), {0, 1}),
    (Holds(TOPICS, (",",)), {3}),
    (Holds(TOPICS, ('","',)), set()),
    (Holds(TOPICS, ("sport",), exactly=True), {1}),
    (Holds(TOPICS, ("sport", "news", "sport"), exactly=True), {0}),
    (Holds(TOPICS, ('a,"b', "]", ","), exactly=True), {3}),
    (Holds(TOPICS, ()), set()),
    (Holds(TOPICS, (*MANY, "sport", "none")), {0, 1}),
    (Holds(TOPICS, MANY), set()),
    (Not(Holds(TOPICS, (*MANY, "sport"))), {2, 3}),
    (Holds(TOPICS, MANY, exactly=True), set()),
    (Begins(WHEN, ("2026-03-10", "2026-03-09"), " 00:00", " 23:59"), {1, 2}),
    (Begins(WHEN, ("2026-03-09", *(f"2025-{day:05}" for day in range(100))), " 00:00", " 23:58"), set()),
    (Begins(WHEN, (), "", ""), set()),
    (IsNull(TOPICS), {4, 6, 7}),
    (AnyOf((Equals(SOURCE, "push"), Equals(ITEMS, 4))), {0, 1}),
    *((Equals(Member("attributes", name), name), {4}) for name in ODD),
    *((IsNull(Member("attributes", name)), {0, 1, 2, 3, 5, 6, 7}) for name in ODD),
]


@pytest.fixture
def events(tmp_path: Path) -> HandMade:
    source = HandMade(tmp_path, APP_EVENTS)
    rows = [
        {
            "application": "X",
            "event": "CartOpen",
            "time": START + second * 1_000_000,
            "attributes": None
            if attributes is None
            else json.dumps(attributes, separators=(",", ":"), sort_keys=True, ensure_ascii=False),
        }
        for second, attributes in enumerate(ATTRIBUTES)
    ]
    source.compacted(rows[:3])
    source.uncompacted(rows[3:5])
    source.buffered(rows[5:])
    return source


def test_conditions_on_members(engine: Engine, events: HandMade) -> None:
    for where, expected in CASES:
        question = Question(APP_EVENTS, "acme", (Metric("rows"),), (Dimension("time"),), where)
        found = Queries(engine, events).answer(question).table["time"].to_pylist()
        assert {(each - START) // 1_000_000 for each in found} == expected, where


CATEGORIES = (None, "[]", '[{"id":1,"name":"a"}]', '[{"id":2,"name":"\\"id\\":1,"},{"id":30,"name":"b"}]')


def test_objects_of_a_list_by_their_number(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, MEDIAS)
    rows = [
        {"media_id": number, "last_update_time_utc": START, "categories": text}
        for number, text in enumerate(CATEGORIES)
    ]
    source.compacted(rows[:2])
    source.uncompacted(rows[2:])
    for numbers, expected in (((1,), [2]), ((30, 1 << 70), [3]), (range(100), [2, 3]), ((3,), []), ((), [])):
        for where in (Names("categories", "id", tuple(numbers)), AnyOf((Names("categories", "id", tuple(numbers)),))):
            found = Queries(engine, source).current(MEDIAS, "acme", where=where).table["media_id"].to_pylist()
            assert found == expected, numbers


@pytest.mark.parametrize(
    "where",
    [
        Names("event", "id", (1,)),
        Begins(WHEN, ("a", "bc"), "", ""),
        Holds(TOPICS, (*MANY, "\ud800")),
        Equals(Member("event", "source"), "push"),
        Equals(Member("nothing", "source"), "push"),
        Equals(ITEMS, "four"),
        Equals(PRICE, "dear"),
        Equals(PRICE, 10**36),
        Equals(SOURCE, "\ud800"),
        Holds(TOPICS, ("\ud800",)),
    ],
)
def test_what_cannot_be_asked_of_a_member(where: Filter) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (the texts are those of the other columns)
        Question(APP_EVENTS, "acme", (Metric("rows"),), where=where)


def test_a_member_is_text_or_a_number() -> None:
    with pytest.raises(ValueError, match="not read as"):
        Member("attributes", "when", Type.TIME)
