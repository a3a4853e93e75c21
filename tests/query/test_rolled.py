"""Which rollups have what a question names."""

from __future__ import annotations

from dataclasses import replace

from airtally.query.question import Dimension, Function, Metric, Question
from airtally.query.rolled import has_rollups, rollups_for
from airtally.sql.filters import Equals
from airtally.streams import PLAYLOGS, VIEWER_SAMPLES

SUM = Metric("sum", Function.SUM, "viewers")
QUESTION = Question(VIEWER_SAMPLES, "acme", (SUM,), (Dimension("app"),), start_us=0, end_us=86_400_000_000)


def names(question: Question) -> list[str]:
    return list(dict.fromkeys(each.rollup.name for each in rollups_for(question)))


def test_the_coarsest_comes_first() -> None:
    assert names(QUESTION) == ["viewer_samples_day", "viewer_samples_hour", "viewer_samples_minute"]


def test_each_version_comes_after_the_newer_ones() -> None:
    versions = [each.rollup.version for each in rollups_for(QUESTION) if each.rollup.name == "viewer_samples_day"]
    assert versions == sorted(versions, reverse=True)
    assert len(versions) > 1


def test_measures_are_in_the_order_of_the_metrics() -> None:
    metrics = (Metric("top", Function.MAX, "viewers"), SUM)
    assert [m.function for m in rollups_for(replace(QUESTION, metrics=metrics))[0].measures] == ["max", "sum"]


def test_what_a_rollup_does_not_have_is_asked_of_rows() -> None:
    assert names(replace(QUESTION, where=Equals("viewers", 3))) == []
    assert names(replace(QUESTION, dimensions=(Dimension("viewers"),))) == []
    assert names(replace(QUESTION, metrics=(Metric("servers", Function.DISTINCT, "server"),))) == []
    assert names(replace(QUESTION, as_received=True)) == []


def test_an_empty_interval_and_a_stream_without_rollups_need_none() -> None:
    assert has_rollups(QUESTION)
    assert not has_rollups(replace(QUESTION, end_us=0))
    assert not has_rollups(Question(PLAYLOGS, "acme", (Metric("n"),)))
