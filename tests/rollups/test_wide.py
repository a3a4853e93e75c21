"""Sums wider than 64 bits: from segments, from rows beside segments, and over many cells."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from airtally.kit.time import DAY_US, SECOND_US, day_start_us
from airtally.query.buckets import Bucket
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.rollups.table import stored_schema
from airtally.rollups.wide import to_segment_rows
from airtally.sql.filters import Equals
from airtally.streams import AD_EVENTS, APP_EVENTS, VIEWER_SAMPLES

START = day_start_us(date(2026, 10, 30))
MOST = (1 << 63) - 1
CLICKS = Metric("clicks", Function.SUM, "count", Equals("kind", "paid_click"))
EVENTS = Metric("events")


def click(count: int, **more: object) -> dict[str, object]:
    return {"ad_group_id": "g", "time": START + SECOND_US, "kind": "paid_click", "count": count} | more


def asked(stream, *metrics, bucket=Bucket.HOUR, **more):
    return Question(stream, "acme", metrics, start_us=START, end_us=START + 2 * DAY_US, bucket=bucket, **more)


@pytest.mark.parametrize(
    ("counts", "right"),
    [
        ([MOST, 5], 9223372036854775812),
        ([MOST] * 5, 5 * MOST),
        ([MOST], MOST),
        ([MOST, 1], MOST + 1),
        ([MOST, 0], MOST),
    ],
)
def test_two_rows_of_an_hour_beyond_64_bits(new_home, counts, right):
    home = new_home()
    acme = home.account("acme")
    home.send(AD_EVENTS, acme, [click(each, country=land) for each, land in zip(counts, ["US"] * 9, strict=False)])
    home.send(AD_EVENTS, acme, [click(3, country="DE"), click(4, ad_group_id="h"), click(1, time=START + DAY_US)])
    home.flush()
    for _ in range(2):
        hours = home.ask(asked(AD_EVENTS, CLICKS, EVENTS, where=Equals("ad_group_id", "g")))
        assert [int(hour["clicks"]) for hour in hours] == [right + 3, 1]
        assert [hour["events"] for hour in hours] == [len(counts) + 1, 1]
        countries = home.ask(asked(AD_EVENTS, CLICKS, dimensions=(Dimension("country"),), bucket=Bucket.DAY))
        assert sorted((row["country"], int(row["clicks"])) for row in countries if row["bucket"] == START) == [
            ("DE", 3),
            ("US", right),
            ("ZZ", 4),
        ]
        home.rebuild(AD_EVENTS)
    home.send(AD_EVENTS, acme, [click(MOST, country="US", time=START + DAY_US), click(7, time=START + 9 * SECOND_US)])
    assert int(home.ask(asked(AD_EVENTS, CLICKS, bucket=Bucket.NONE))[0]["clicks"]) == right + 3 + 4 + 1 + MOST + 7
    home.flush()
    home.rebuild(AD_EVENTS)  # segments that are wide already are merged with new ones
    assert int(home.ask(asked(AD_EVENTS, CLICKS, bucket=Bucket.NONE))[0]["clicks"]) == right + 3 + 4 + 1 + MOST + 7


def test_money_wider_than_64_bits_of_either_sign(new_home):
    home = new_home()
    acme = home.account("acme")
    rows = [click(1, spend="-999999999999.999999") for _ in range(20)] + [click(1, country="US", spend="0.000001")]
    home.send(AD_EVENTS, acme, rows)
    home.flush()
    home.rebuild(AD_EVENTS)
    found = home.ask(asked(AD_EVENTS, Metric("spend", Function.SUM, "spend"), CLICKS))
    assert [(int(row["spend"]), row["clicks"]) for row in found] == [(-20 * (10**18 - 1) + 1, 21)]


def test_least_and_greatest_beside_a_wide_sum(new_home):
    home = new_home()
    acme = home.account("acme")
    sample = {"app": "a", "video_url": "v", "server": "s"}
    viewers = [MOST, 2, MOST - 1, 9]
    rows = [sample | {"time": START + n * 60 * SECOND_US, "viewers": each} for n, each in enumerate(viewers)]
    home.send(VIEWER_SAMPLES, acme, rows)
    home.flush()
    home.rebuild(VIEWER_SAMPLES)
    figures = [Metric(name, Function(name), "viewers") for name in ("sum", "min", "max")]
    (found,) = home.ask(asked(VIEWER_SAMPLES, *figures, Metric("samples"), bucket=Bucket.DAY))
    assert [int(found[name]) for name in ("sum", "min", "max", "samples")] == [sum(viewers), 2, MOST, 4]


def test_one_account_of_wide_sums_holds_nobody_up(new_home):
    home = new_home()
    for slug, count in (("acme", MOST), ("rival", 1)):
        event = {"application": slug, "event": "e", "time": START + SECOND_US, "count": count}
        home.send(APP_EVENTS, home.account(slug), [event, event])
    home.flush()
    assert home.rebuild(APP_EVENTS) == 2
    assert home.rebuild(APP_EVENTS) == 0
    triggers = Metric("triggers", Function.SUM, "count")
    assert int(home.ask(asked(APP_EVENTS, triggers))[0]["triggers"]) == 2 * MOST


@pytest.mark.parametrize("total", [0, MOST, MOST + 1, 3 * MOST + 5, -MOST - 1, -MOST - 2, -4 * MOST])
def test_a_wide_sum_becomes_rows_that_add_up_to_it(total):
    (rollup,) = AD_EVENTS.rollups
    schema = stored_schema(rollup)
    wide = {field.name for field in schema if pa.types.is_int64(field.type)}
    figures = pa.schema([pa.field(each.name, pa.decimal128(38)) if each.name in wide else each for each in schema])
    row = {name: Decimal(total) if name in wide else None for name in schema.names}
    table = to_segment_rows(pa.Table.from_pylist([row], figures), rollup)
    assert table.schema == schema
    for name in wide:
        assert sum(table[name].to_pylist()) == total
