"""Sums of rows at the edges of their types, on both engines, against Python's own."""

from __future__ import annotations

import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airtally.engine.protocol import Engine
from airtally.kit.time import day_start_us
from airtally.query.narrow import narrowed, plain, plain_rows
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.query.service import Queries
from airtally.sql.filters import Equals
from airtally.streams import AD_EVENTS, PLAYLOGS, VIEWER_SAMPLES
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 10, 1))
MOST, LEAST = (1 << 63) - 1, -(1 << 63)
MONEY = Decimal("999999999999.999999")
EDGES = [0, 1, 5, (1 << 53) + 1, MOST - 1, MOST]


def ask(engine: Engine, source: HandMade, *metrics: Metric, **more: Any) -> list[dict[str, Any]]:
    answer = Queries(engine, source).answer(Question(source.stream, "acme", metrics, **more))
    return plain_rows(answer.table)


def split(tmp_path: Path, stream: Any, rows: list[dict[str, Any]]) -> HandMade:
    source = HandMade(tmp_path, stream)
    source.compacted(rows[::3])
    source.uncompacted(rows[1::3])
    source.buffered(rows[2::3])
    return source


def test_two_counts_that_leave_64_bits(engine: Engine, tmp_path: Path) -> None:
    row = {"ad_group_id": "g", "kind": "paid_click", "time": START}
    source = split(tmp_path, AD_EVENTS, [{**row, "count": MOST}, {**row, "count": 5}, {**row, "kind": "install"}])
    clicks = Metric("clicks", Function.SUM, "count", Equals("kind", "paid_click"))
    (found,) = ask(engine, source, clicks, Metric("most", Function.MAX, "count"), Metric("rows"))
    assert found == {"clicks": 9223372036854775812, "most": MOST, "rows": 3}
    assert all(type(each) is int for each in found.values())


@pytest.mark.parametrize("sign", [1, -1])
def test_money_that_leaves_64_bits(engine: Engine, tmp_path: Path, sign: int) -> None:
    row = {"ad_group_id": "g", "kind": "install", "time": START, "spend": sign * MONEY}
    source = split(tmp_path, AD_EVENTS, [row] * 20)
    (found,) = ask(engine, source, Metric("spend", Function.SUM, "spend"))
    assert found == {"spend": sign * 20 * (10**18 - 1)}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.lists(st.tuples(st.sampled_from(EDGES), st.sampled_from(["a", "b"])), min_size=1, max_size=12),
    st.sampled_from([None, "ad"]),
)
def test_sums_are_a_plain_count(engine: Engine, rows: list[tuple[int, str]], by: str | None) -> None:
    base = {"video_url": "v", "time": START}
    samples = [base | {"app": app, "server": str(place), "viewers": count} for place, (count, app) in enumerate(rows)]
    metrics = [Metric(name, Function(name), "viewers") for name in ("sum", "min", "max")]
    with tempfile.TemporaryDirectory() as folder:
        source = split(Path(folder), VIEWER_SAMPLES, samples)
        dimensions = () if by is None else (Dimension("app"),)
        found = ask(engine, source, *metrics, dimensions=dimensions)
    right = []
    for app in sorted({app for _, app in rows}) if by else [None]:
        counts = [count for count, own in rows if app in {None, own}]
        right.append(
            ({} if app is None else {"app": app}) | {"sum": sum(counts), "min": min(counts), "max": max(counts)}
        )
    assert sorted(found, key=lambda row: row.get("app", "")) == right


def test_whole_numbers_of_either_sign(engine: Engine, tmp_path: Path) -> None:
    row = {"played_at": START, "media_id": 1}
    for players in ([LEAST, LEAST, -1], [MOST, LEAST], [LEAST], [MOST] * 9, [LEAST + 1] * 7):
        source = split(tmp_path, PLAYLOGS, [{**row, "player_id": each} for each in players])
        assert ask(engine, source, Metric("sum", Function.SUM, "player_id")) == [{"sum": sum(players)}]


def test_a_column_is_wide_only_where_it_must_be() -> None:
    kind = pa.decimal128(38, 0)
    table = narrowed(
        pa.table(
            {
                "small": pa.array([Decimal(MOST), Decimal(LEAST), None], kind),
                "large": pa.array([Decimal(MOST + 1), None, Decimal(1)], kind),
                "money": pa.array([Decimal("1.50")] * 3, pa.decimal128(18, 2)),
            }
        )
    )
    assert [str(field.type) for field in table.schema] == ["int64", "decimal128(38, 0)", "decimal128(18, 2)"]
    assert plain(table["large"]) == [MOST + 1, None, 1]
    assert plain_rows(table.select(["small", "large"]))[0] == {"small": MOST, "large": MOST + 1}
