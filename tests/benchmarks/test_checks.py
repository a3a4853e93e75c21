"""What a benchmark times is compared with its reference: a wrong answer must fail it."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from benchmarks.insights import BY_HAND, METRICS, Question, check
from benchmarks.raw import percentile
from benchmarks.tapjoy import _counter
from benchmarks.viewer_log import _check

QUESTION = Question("g", datetime(2026, 10, 1, tzinfo=UTC))
FOUND = pa.table(
    {
        "country": ["US", "DE"],
        "at": [3600, 7200],
        "paid_clicks": [2, 0],
        "global_renders": [9, 1],
        "global_conversions": [1, 0],
        "installs_spend": [-1.505, 0.0],
    }
)


def answer() -> dict[str, Any]:
    def series(*points: list[float]) -> dict[str, Any]:
        return {name: [[at, values[n]] for at, *values in points] for n, name in enumerate(METRICS)}

    us, de = series([3600, 2, 9, 1, -1.51], [7200, 0, 0, 0, 0]), series([3600, 0, 0, 0, 0], [7200, 0, 1, 0, 0])
    return {"data": {"g": {"insights": {"US": us, "DE": de}}}}


def test_insights_may_have_zeros_that_no_row_has() -> None:
    check(QUESTION, answer(), FOUND)


@pytest.mark.parametrize(("country", "metric", "value"), [("US", "paid_clicks", 3), ("DE", "global_renders", 0)])
def test_other_insights_are_noticed(country: str, metric: str, value: int) -> None:
    wrong = copy.deepcopy(answer())
    wrong["data"]["g"]["insights"][country][metric][-1 if country == "DE" else 0][1] = value
    with pytest.raises(RuntimeError, match="differ"):
        check(QUESTION, wrong, FOUND)


def test_the_reference_puts_an_hour_s_last_half_second_into_the_hour() -> None:
    import duckdb

    at = datetime(2026, 10, 1, 0, 59, 59, 900_000, tzinfo=UTC)
    rows = pa.table(
        {"ad_group_id": ["g"], "country": ["US"], "time": [at], "kind": ["paid_click"], "count": [1], "spend": [None]}
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("rows", rows)
        parameters = {"ad_group": "g", "start": QUESTION.start, "end": QUESTION.end}
        found = connection.execute(BY_HAND.format(rows="rows"), parameters).to_arrow_table()
    assert found["at"].to_pylist() == [int(QUESTION.start.timestamp())]


def test_other_viewers_are_noticed() -> None:
    row = {
        "app": "a",
        "video_url": "u",
        "viewer_count_avg": 2,
        "viewer_count_min": 1,
        "viewer_count_max": 3,
        "viewer_count_sum": 4,
        "time": "2026-10-01 00:00:00",
    }
    _check([row], [row])
    with pytest.raises(RuntimeError, match="their values differ"):
        _check([row | {"viewer_count_max": 4}], [row])
    with pytest.raises(RuntimeError, match="2 rows told, 1 found"):
        _check([row, row], [row])


def test_counters_are_read_from_the_metrics_page() -> None:
    text = '# HELP x y\nhits_total 3.0\nhits_total{vendor="tapjoy"} 4.0\nother_hits_total 9.0\n'
    assert _counter(text, "hits_total") == 7
    assert _counter(text, "misses_total") == 0


def test_percentiles_are_milliseconds() -> None:
    assert percentile([0.003, 0.001, 0.002], 0.5) == 2
    assert percentile([0.003, 0.001, 0.002], 1.0) == 3
