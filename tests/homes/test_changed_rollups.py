"""A home of an earlier release, opened by programs whose rollups are declared otherwise."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest

from airtally.background import maintenance_of, rebuilder_of
from airtally.engine.child_process import InProcess
from airtally.kit.time import DAY_US
from airtally.query.buckets import Bucket
from airtally.query.question import Function, Metric, Question
from airtally.query.refusal import RowsGone
from airtally.rollups.rebuild import EAGER, RebuildPolicy
from airtally.runtime import open_services
from airtally.services import Engines
from airtally.sql.filters import Equals
from airtally.streams import AD_EVENTS, VIEWER_SAMPLES
from airtally.streams.rollup import MINUTE_US, Measure, Rollup
from fixtures.homes import KILLED_US, RELEASES, unpacked

TODAY = KILLED_US // DAY_US * DAY_US
#: 1 September: days whose rows, minutes and hours have left; 30 October: days that have rows.
OLD, NEW = TODAY - 62 * DAY_US, TODAY - 3 * DAY_US
SUM = Metric("sum", Function.SUM, "viewers")
ADDED = Measure("peak", Function.MAX, "viewers", ("server", "e1"))
PEAK = Metric("peak", Function.MAX, "viewers", Equals("server", "e1"))


class Home:
    """The services of a process on a kept home, without background work."""

    def __init__(self, kept, closing):
        self._kept, self._closing, self.clock = kept, closing, kept.clock()
        self.open()

    def open(self):
        """Anew, as the program is declared now."""
        self._closing.close()
        self.services = open_services(self._kept.settings, clock=self.clock)
        self._closing.callback(self.services.close)
        self.services.engines.heavy.close()
        self.services.engines = Engines(self.services.engines.engine, InProcess())

    def ask(self, metric, start, end, bucket=Bucket.DAY, stream=VIEWER_SAMPLES):
        question = Question(stream, "acme", (metric,), start_us=start, end_us=end, bucket=bucket)
        rows = self.services.queries.answer(question).table.to_pylist()
        return sorted((row["bucket"] - TODAY) // DAY_US for row in rows), sorted(row[metric.name] for row in rows)

    def rebuild(self, stream=VIEWER_SAMPLES, policy=EAGER):
        self.services.storage.event_store.flush()
        rebuilder = rebuilder_of(self.services)
        return [
            rebuilder.rebuild(self.services.storage.lake.table(stream), rollup, policy) for rollup in stream.rollups
        ]

    def expire(self, days):
        self.clock.advance(days * 86_400)
        self.rebuild()
        assert maintenance_of(self.services, rebuilder_of(self.services)).expire(
            self.services.storage.lake.table(VIEWER_SAMPLES)
        )

    def files(self, rollup):
        view = self.services.storage.rollups.table(rollup).newest()
        return {} if view is None else dict(view.months("acme"))


@pytest.fixture
def closing():
    with ExitStack() as closing:
        yield closing


@pytest.fixture(params=RELEASES)
def home(request, tmp_path, closing):
    return Home(unpacked(request.param, tmp_path), closing)


@pytest.fixture
def redeclare():
    """`redeclare(STREAM, change)`: each rollup of the stream as a later release has it; undone at the end."""
    before = {stream: stream.rollups for stream in (AD_EVENTS, VIEWER_SAMPLES)}

    def change(stream, changed):
        later = [
            replace(each, **changed(each), version=each.version + 1, earlier=each) if changed(each) else each
            for each in stream.rollups
        ]
        object.__setattr__(stream, "rollups", tuple(later))

    yield change
    for stream, rollups in before.items():
        object.__setattr__(stream, "rollups", rollups)


def with_peak(rollup):
    return {"measures": (*rollup.measures, ADDED)}


def test_a_measure_is_added(home, redeclare):
    whole = OLD, TODAY + DAY_US
    before = home.ask(SUM, *whole)
    assert before == ([-62, -61, -29, -28, -3, -2, 0], [40, 40, 40, 60, 80, 80, 80])
    redeclare(VIEWER_SAMPLES, with_peak)
    home.open()
    assert home.ask(SUM, *whole) == before  # the old segments serve
    assert home.ask(PEAK, NEW, TODAY + DAY_US)[1] == [10, 20, 30]  # from rows
    with pytest.raises(RowsGone, match="2026-09-01T00:00:00"):
        home.ask(PEAK, *whole)
    assert all(home.rebuild())
    assert home.ask(SUM, *whole) == before
    assert home.ask(PEAK, NEW, TODAY + DAY_US)[1] == [10, 20, 30]
    with pytest.raises(RowsGone, match="2026-09-01T00:00:00") as caught:
        home.ask(PEAK, *whole)
    later = caught.value.instead[-1]
    assert home.services.queries.answer(later).table.num_rows == 3
    home.expire(40)
    home.open()
    assert home.ask(SUM, *whole) == before
    assert home.ask(PEAK, NEW, TODAY + DAY_US)[1] == [10, 20, 30]  # from the new segments alone


def test_old_segments_go_once_they_are_replaced_and_stay_where_rows_have_left(home, redeclare):
    home.rebuild()
    (day, *_) = VIEWER_SAMPLES.rollups
    redeclare(VIEWER_SAMPLES, with_peak)
    home.open()
    assert "2026-11" in home.files(day)
    bounded = RebuildPolicy(quiet_seconds=0.0, longest_seconds=0.0, merge_seconds=0.0, groups_a_step=1)
    assert home.rebuild(policy=bounded) == [1, 1, 1]
    home.rebuild()
    assert "2026-11" not in home.files(day)
    assert sorted(home.files(VIEWER_SAMPLES.rollups[0])) == ["2026-10", "2026-11"]
    first = next(each for each in reversed(day.versions) if home.files(each))  # as the release declared it
    assert {"2026-09", "2026-10"} <= set(home.files(first))
    assert home.rebuild() == [0, 0, 0]


def test_a_finer_grain_and_another_dimension(home, redeclare):
    """Quarters of ad events become minutes, by the kind as well."""
    whole = TODAY - 3 * DAY_US, TODAY + DAY_US
    clicks = Metric("clicks", Function.SUM, "count", Equals("kind", "paid_click"))
    before = home.ask(clicks, *whole, stream=AD_EVENTS)
    redeclare(AD_EVENTS, lambda each: {"grain_us": MINUTE_US, "dimensions": (*each.dimensions, "kind")})
    home.open()
    assert home.ask(clicks, *whole, stream=AD_EVENTS) == before
    assert home.rebuild(AD_EVENTS) > [0]
    assert home.ask(clicks, *whole, stream=AD_EVENTS) == before
    assert sum(home.ask(clicks, *whole, Bucket.MINUTE, stream=AD_EVENTS)[1]) == sum(before[1])
    assert home.files(AD_EVENTS.rollups[0].earlier) == {}


def test_a_declaration_follows_the_one_before_it():
    first = VIEWER_SAMPLES.rollups[2]
    for wrong in ({"version": 2}, {"version": 3, "earlier": first}, {"earlier": first}):
        with pytest.raises(ValueError, match="must follow"):
            replace(first, **wrong)
    assert replace(first, version=2, earlier=first).folder == "viewer_samples_minute.v2"
    assert isinstance(first, Rollup)
