"""Questions of every kind, on both engines."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from airtally.engine.protocol import Engine
from airtally.kit.clock import MovableClock
from airtally.kit.time import DAY_US, SECOND_US, day_start_us, zone_midnight_us
from airtally.query.buckets import Bucket, Step
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.query.service import Queries
from airtally.sql.filters import AllOf, AnyOf, Between, Contains, Equals, Filter, IsNull, Like, Not, OneOf
from airtally.streams import AD_EVENTS, PLAYLOGS
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 10, 1))
HOUR = 3600 * SECOND_US
NEW_YORK = ZoneInfo("America/New_York")

EVENTS: list[dict[str, Any]] = [
    {"ad_group_id": "g1", "kind": "paid_click", "time": START, "spend": Decimal("1.25"), "country": "US"},
    {"ad_group_id": "g1", "kind": "paid_click", "time": START + HOUR, "spend": Decimal("-0.000001"), "count": 3},
    {"ad_group_id": "G2", "kind": "install", "time": START + HOUR + 1, "country": "DE"},
    {"ad_group_id": "g3%_'", "kind": "install", "time": START + DAY_US, "spend": Decimal("999999999999.999999")},
]


@pytest.fixture
def ads(tmp_path: Path) -> HandMade:
    source = HandMade(tmp_path, AD_EVENTS)
    source.compacted(EVENTS[:2])
    source.uncompacted(EVENTS[2:3])
    source.buffered([*EVENTS[3:], {**EVENTS[0], "account": "other"}])
    return source


def ask(engine: Engine, source: HandMade, *metrics: Metric, **more: Any) -> list[dict[str, Any]]:
    metrics = metrics or (Metric("rows"),)
    answer = Queries(engine, source).answer(Question(source.stream, "acme", metrics, **more))
    return answer.table.to_pylist()


def test_figures_are_integers_and_money_is_micros(engine: Engine, ads: HandMade) -> None:
    figures = ask(
        engine,
        ads,
        Metric("rows"),
        Metric("spend", Function.SUM, "spend"),
        Metric("counted", Function.SUM, "count"),
        Metric("groups", Function.DISTINCT, "ad_group_id"),
        Metric("first", Function.MIN, "time"),
        Metric("last", Function.MAX, "time"),
        Metric("clicks", where=Equals("kind", "paid_click")),
        Metric("refunds", Function.SUM, "spend", where=Between("spend", below=0)),
        Metric("largest", Function.MAX, "spend"),
    )
    assert figures == [
        {
            "rows": 4,
            "spend": 1_250_000 - 1 + 999_999_999_999_999_999,
            "counted": 6,
            "groups": 3,
            "first": START,
            "last": START + DAY_US,
            "clicks": 2,
            "refunds": -1,
            "largest": 999_999_999_999_999_999,
        }
    ]


def test_a_key_matched_without_case_is_one_group(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, AD_EVENTS)
    source.compacted([EVENTS[0]])
    source.buffered([EVENTS[0] | {"ad_group_id": "G1"}])
    assert ask(engine, source, dimensions=(Dimension("ad_group_id"),)) == [{"ad_group_id": "g1", "rows": 2}]
    assert ask(engine, source, Metric("groups", Function.DISTINCT, "ad_group_id")) == [{"groups": 1}]


def test_steps_are_counted_from_the_start_of_the_interval(engine: Engine, ads: HandMade) -> None:
    begin = START - 4 * HOUR
    days = ask(engine, ads, bucket=Step(DAY_US), start_us=begin, end_us=START + DAY_US + 1)
    assert sorted((each["bucket"], each["rows"]) for each in days) == [(begin, 3), (begin + DAY_US, 1)]


def test_figures_of_no_rows(engine: Engine, ads: HandMade) -> None:
    metrics = Metric("rows"), Metric("spend", Function.SUM, "spend"), Metric("last", Function.MAX, "time")
    assert ask(engine, ads, *metrics, where=Equals("kind", "none")) == [{"rows": 0, "spend": 0, "last": None}]
    assert ask(engine, ads, *metrics, where=Equals("kind", "none"), dimensions=(Dimension("kind"),)) == []


FILTERS: list[tuple[Filter, set[int]]] = [
    (Equals("ad_group_id", "g1"), {0, 1}),
    (Equals("ad_group_id", "g3%_'"), {3}),
    (Equals("spend", "1.25"), {0}),
    (Equals("time", START + HOUR), {1}),
    (OneOf("time", (START + HOUR,)), {1}),
    (OneOf("time", (START, START + HOUR + 1, START + 1)), {0, 2}),
    (OneOf("time", (*range(100), START + DAY_US, 1 << 70)), {3}),
    (OneOf("time", ()), set()),
    (OneOf("country", ("US", "DE")), {0, 2}),
    (OneOf("ad_group_id", (*map(str, range(100)), "G2")), {2}),
    (OneOf("spend", tuple(range(100))), set()),
    (OneOf("count", tuple(range(3, 200))), {1}),
    (OneOf("count", ()), set()),
    (Between("time", START + HOUR, START + HOUR + 1), {1}),
    (Between("count", at_least=2), {1}),
    (Between("count", below=1 << 80), {0, 1, 2, 3}),
    (Between("spend"), {0, 1, 2, 3}),
    (Equals("ad_group_id", "G1"), {0, 1}),
    (OneOf("ad_group_id", (*map(str, range(100)), "g2")), {2}),
    (Like("ad_group_id", "G*"), {0, 1, 2, 3}),
    (Like("ad_group_id", "*%_'"), {3}),
    (Like("country", "u*"), set()),
    (Like("country", "*"), {0, 1, 2, 3}),
    (Like("kind", "*a*l_"), set()),
    (Like("kind", "*a*l"), {2, 3}),
    (Like("kind", "*nst*l*"), {2, 3}),
    (Like("kind", "i*s*a*l"), {2, 3}),
    (Like("kind", "*.*s*l*"), set()),
    (Like("kind", "*n*s*a"), set()),
    (Contains("ad_group_id", "g"), {0, 1, 3}),
    (Contains("ad_group_id", "g2", fold_case=True), {2}),
    (Contains("ad_group_id", "%"), {3}),
    (IsNull("spend"), {2}),
    (Not(IsNull("spend")), {0, 1, 3}),
    (Not(Between("spend", at_least=0)), {1}),
    (AnyOf((Equals("kind", "install"), Equals("count", 3))), {1, 2, 3}),
    (AllOf((Equals("kind", "install"), Equals("country", "DE"))), {2}),
    (AllOf(()), {0, 1, 2, 3}),
    (AnyOf(()), set()),
]


def test_filters(engine: Engine, ads: HandMade) -> None:
    times = [event["time"] for event in EVENTS]
    for where, expected in FILTERS:
        found = ask(engine, ads, dimensions=(Dimension("time"),), where=where)
        assert {times.index(row["time"]) for row in found} == expected, where
        if not isinstance(where, OneOf):
            found = ask(engine, ads, Metric("some", where=where), dimensions=(Dimension("time"),))
            assert {times.index(row["time"]) for row in found if row["some"]} == expected, where


def test_dimensions_and_the_country_of_nobody(engine: Engine, ads: HandMade) -> None:
    rows = ask(engine, ads, dimensions=(Dimension("country", "land"), Dimension("kind")))
    assert {(row["land"], row["kind"]): row["rows"] for row in rows} == {
        ("US", "paid_click"): 1,
        ("ZZ", "paid_click"): 1,
        ("DE", "install"): 1,
        ("ZZ", "install"): 1,
    }


def test_hours_lived_twice_and_short_days_in_new_york(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, AD_EVENTS)
    midnight = zone_midnight_us(date(2026, 11, 1), NEW_YORK)
    event = {"ad_group_id": "g", "kind": "install"}
    source.compacted([{**event, "time": midnight + hour * HOUR} for hour in range(25)])
    source.uncompacted([{**event, "time": midnight + 25 * HOUR}])
    asked = {"zone": NEW_YORK, "start_us": midnight, "end_us": midnight + 40 * HOUR}
    hours = ask(engine, source, bucket=Bucket.HOUR, **asked)
    assert {row["bucket"]: row["rows"] for row in hours} == {midnight + hour * HOUR: 1 for hour in range(26)}
    days = ask(engine, source, bucket=Bucket.DAY, **asked)
    assert {row["bucket"]: row["rows"] for row in days} == {midnight: 25, midnight + 25 * HOUR: 1}

    spring = zone_midnight_us(date(2026, 3, 8), NEW_YORK)
    source.buffered([{**event, "time": spring + hour * HOUR} for hour in range(24)])
    asked = {"zone": NEW_YORK, "start_us": spring, "end_us": spring + 30 * HOUR}
    days = ask(engine, source, bucket=Bucket.DAY, **asked)
    assert {row["bucket"]: row["rows"] for row in days} == {spring: 23, spring + 23 * HOUR: 1}


def test_days_of_kathmandu(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, AD_EVENTS)
    midnight = zone_midnight_us(date(2026, 10, 2), ZoneInfo("Asia/Kathmandu"))
    event = {"ad_group_id": "g", "kind": "install"}
    source.compacted([{**event, "time": midnight - 1}, {**event, "time": midnight}])
    rows = ask(
        engine,
        source,
        bucket=Bucket.DAY,
        zone=ZoneInfo("Asia/Kathmandu"),
        start_us=midnight - DAY_US,
        end_us=midnight + DAY_US,
    )
    assert {row["bucket"]: row["rows"] for row in rows} == {midnight - DAY_US: 1, midnight: 1}


def test_local_times_are_bucketed_by_the_clock_on_the_wall(engine: Engine, tmp_path: Path) -> None:
    source = HandMade(tmp_path, PLAYLOGS)
    source.compacted([{"player_id": 1, "media_id": 1, "played_at": START + 2 * HOUR + 1}])
    question = Question(
        PLAYLOGS,
        "acme",
        (Metric("rows"),),
        start_us=START,
        end_us=START + DAY_US,
        bucket=Bucket.HOUR,
        zone=ZoneInfo("Asia/Kathmandu"),
    )
    answer = Queries(engine, source, MovableClock(42)).answer(question)
    assert answer.table.to_pylist() == [{"bucket": START + 2 * HOUR, "rows": 1}]
    assert (answer.timezone, answer.data_through_us, answer.generated_at_us) == ("UTC", 17, 42)


@pytest.mark.parametrize(
    "wrong",
    [
        {"where": Equals("nothing", 1)},
        {"where": Equals("count", "many")},
        {"where": Equals("count", 1.5)},
        {"where": Equals("count", True)},
        {"where": Equals("spend", "much")},
        {"where": Equals("country", "\ud800")},
        {"where": Equals("time", 1 << 70)},
        {"where": Contains("count", "1")},
        {"dimensions": (Dimension("nothing"),)},
        {"dimensions": (Dimension("kind"), Dimension("kind"))},
        {"dimensions": (Dimension("kind", "bucket"),)},
        {"metrics": (Metric("m", Function.SUM, "kind"),)},
        {"metrics": (Metric("m", Function.SUM),)},
        {"metrics": (Metric("m", Function.COUNT, "kind"),)},
        {"metrics": ()},
        {"bucket": Bucket.DAY},
    ],
)
def test_a_question_without_sense_is_refused_when_it_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Question(**{"stream": AD_EVENTS, "account": "acme", "metrics": (Metric("m"),), **wrong})


def test_a_check_that_passed_does_not_pass_a_question_that_only_looks_like_it() -> None:
    """`1 == True`: what is remembered of a checked question must not let another one through."""
    Question(AD_EVENTS, "acme", (Metric("n", where=Equals("count", 1)),))
    with pytest.raises(ValueError, match="whole numbers"):
        Question(AD_EVENTS, "acme", (Metric("n", where=Equals("count", True)),))
    for _ in range(2):
        with pytest.raises(ValueError, match="different name"):
            Question(AD_EVENTS, "acme", (Metric("n"), Metric("N")))
