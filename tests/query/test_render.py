"""Questions as statements, before any engine has them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlglot import exp

from airtally.engine.duckdb import CAPABILITIES
from airtally.kit.errors import LimitExceeded
from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US, day_start_us
from airtally.query.buckets import Bucket, Step
from airtally.query.question import MAX_BUCKETS, Dimension, Metric, Question
from airtally.query.render import render
from airtally.sql.filters import AllOf, Equals, OneOf
from airtally.sql.kept_trees import KeptTrees
from airtally.sql.statement import Rows, Statement
from airtally.streams import AD_EVENTS
from fixtures.snapshots import HandMade

START = day_start_us(date(2026, 10, 1))


@pytest.fixture
def ads(tmp_path: Path) -> HandMade:
    source = HandMade(tmp_path, AD_EVENTS)
    source.compacted([{"ad_group_id": "g", "kind": "install", "time": START}])
    return source


def question(**more: Any) -> Question:
    return Question(AD_EVENTS, "acme", (Metric("rows"),), **more)


def statement(source: HandMade, **more: Any) -> Statement:
    return render(question(**more), source.snapshot(AD_EVENTS, "acme"), CAPABILITIES)


def test_values_never_stand_in_the_text(ads: HandMade) -> None:
    made = statement(ads, where=AllOf((Equals("kind", "secret"), OneOf("count", (4711, 4712)))))
    assert "secret" in made.parameters.values()
    text = made.tree.sql()
    assert "secret" not in text
    assert "4711" not in text


def test_questions_that_differ_in_values_alone_have_one_tree(ads: HandMade) -> None:
    """What an engine remembers of a statement by its key serves both."""
    first, second = statement(ads, where=Equals("kind", "a")), statement(ads, where=Equals("kind", "b"))
    assert (first.key, first.tree.sql()) == (second.key, second.tree.sql())
    assert first.parameters != second.parameters


def test_a_kept_tree_is_what_would_be_built_anew(
    ads: HandMade, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was asked before, and wherever the rows lie."""
    new = HandMade(tmp_path / "new", AD_EVENTS)
    new.uncompacted([{"ad_group_id": "g", "kind": "install", "time": START, "id": "1"}])
    both = HandMade(tmp_path / "both", AD_EVENTS)
    for add in (both.compacted, both.uncompacted, both.buffered):
        add([{"ad_group_id": "g", "kind": "install", "time": START, "id": "1"}, {"time": START + DAY_US}])
    end = START + 5 * DAY_US // 2
    asked: list[dict[str, Any]] = [
        {},
        {"start_us": START + 1},
        {"end_us": end},
        {"start_us": START + 1, "end_us": end},
        {"start_us": START, "end_us": end + 1},
        {"start_us": START + 1, "end_us": end, "bucket": Bucket.DAY},
        {"start_us": START + 1, "end_us": end, "bucket": Bucket.DAY, "zone": ZoneInfo("Asia/Kathmandu")},
        {"start_us": START + 1, "end_us": end, "bucket": Bucket.MONTH},
        {"dimensions": (Dimension("kind"),), "most_rows": 3},
        {"as_received": True},
        {"where": Equals("kind", "a")},
        {"where": OneOf("kind", ("a", "b")), "dimensions": (Dimension("kind"),)},
    ]
    for more in (*asked, *reversed(asked)):
        for source in (ads, new, both):
            kept = statement(source, **more)
            with monkeypatch.context() as patch:
                patch.setattr("airtally.query.render._TREES", KeptTrees())
                anew = statement(source, **more)
            assert kept.tree.sql("duckdb") == anew.tree.sql("duckdb")
            assert (kept.parameters, list(kept.relations)) == (anew.parameters, list(anew.relations))
            assert kept.key == anew.key is not None


def test_a_statement_names_its_groups_and_metrics_in_order(ads: HandMade) -> None:
    made = statement(
        ads,
        dimensions=(Dimension("country", "land"), Dimension("kind")),
        bucket=Bucket.DAY,
        start_us=START,
        end_us=START + DAY_US,
    )
    assert made.tree.named_selects == ["bucket", "land", "kind", "rows"]
    assert [type(each) for each in made.relations.values()] == [Rows]


@pytest.mark.parametrize(("most_rows", "limit"), [(None, None), (10, "11")])
def test_one_row_more_than_allowed_is_asked_for(ads: HandMade, most_rows: int | None, limit: str | None) -> None:
    found = statement(ads, most_rows=most_rows, dimensions=(Dimension("kind"),)).tree.args.get("limit")
    assert (found.expression.name if isinstance(found, exp.Limit) else None) == limit


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu"])
@pytest.mark.parametrize(("bucket", "length_us"), [(Bucket.MINUTE, MINUTE_US), (Bucket.HOUR, HOUR_US), (Step(7), 7)])
def test_too_many_buckets_name_the_limit(bucket: Bucket | Step, length_us: int, zone: str) -> None:
    start = day_start_us(date(1990, 1, 1))
    most = question(bucket=bucket, start_us=start, end_us=start + MAX_BUCKETS // 2 * length_us, zone=ZoneInfo(zone))
    assert sum((run.end_us - run.start_us) // run.length_us for run in most.runs()) >= MAX_BUCKETS // 2
    with pytest.raises(LimitExceeded, match="100000 buckets"):
        replace(most, end_us=start + (MAX_BUCKETS + 2) * length_us).runs()


def test_an_empty_interval_has_a_bucket_that_no_row_is_in() -> None:
    (run,) = question(bucket=Bucket.DAY, start_us=START, end_us=START).runs()
    assert (run.start_us, run.end_us) == (START, START + 1)
