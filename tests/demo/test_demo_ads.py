from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airtally.demo import countries
from airtally.demo.ad_events import AdEvents
from airtally.demo.ad_groups import ad_group_rows, ad_groups
from airtally.demo.tables import plain
from airtally.streams import STREAMS

SMALL = AdEvents(seed=3, days=21, end_day=date(2026, 10, 31), groups=24, rows=60_000)


def rows(made: AdEvents = SMALL) -> pa.Table:
    return pa.concat_tables(plain(STREAMS["ad_events"], each) for each in made.tables())


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return rows()


def counts(values: Any) -> dict[Any, int]:
    return Counter(values.to_pylist())


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(events: pa.Table) -> None:
    assert rows().equals(events)
    assert not rows(AdEvents(seed=4, days=21, groups=24, rows=60_000)).equals(events)


@pytest.mark.parametrize("wanted", [1, 999, 60_000])
def test_the_rows_wanted_are_reached_exactly(wanted: int) -> None:
    assert rows(AdEvents(days=5, groups=9, rows=wanted)).num_rows == wanted


def test_every_event_is_of_a_group_that_is_declared(events: pa.Table) -> None:
    declared = {row["ad_group_id"] for row in ad_group_rows(SMALL.ad_groups, 0, 10**15)}
    assert set(events["ad_group_id"].to_pylist()) <= declared
    assert len(declared) == 24


def test_a_secondary_offer_is_a_group_of_its_own_without_another() -> None:
    groups = {group.id: group for group in ad_groups(1, 40)}
    seconds = [groups[group.secondary] for group in groups.values() if group.secondary]
    assert len(seconds) >= 5
    assert all(second.secondary is None for second in seconds)
    assert {group.platform for group in groups.values()} == {"iOS", "Android"}


def test_weekends_are_busier_and_the_night_is_quiet(events: pa.Table) -> None:
    days = counts(pc.day_of_week(events["time"]))
    assert days[5] > 1.1 * days[1]
    of_germany = events.filter(pc.equal(events["country"], "DE"))
    hours = counts(pc.hour(of_germany["time"]))
    assert hours[19] > 5 * hours[2]  # 20:00 and 03:00 there


def test_the_launch_begins_on_its_day_with_a_peak(events: pa.Table) -> None:
    launched = SMALL.ad_groups[0].id
    of_launch = events.filter(pc.equal(events["ad_group_id"], launched))
    days = counts(pc.cast(of_launch["time"], pa.date32()))
    assert min(days) == SMALL.launch_day
    assert days[SMALL.launch_day] > 1.5 * days[date(2026, 10, 31)]


def test_countries_have_their_weights(events: pa.Table) -> None:
    found = counts(events["country"])
    assert set(found) == set(countries.CODES)
    assert 0.24 < found["US"] / events.num_rows < 0.30
    assert found["US"] > found["JP"] > found["SE"]


def test_some_rows_stand_for_several_some_take_money_back(events: pa.Table) -> None:
    assert pc.max(events["count"]).as_py() > 20
    spent = events.filter(pc.is_valid(events["spend"]))
    assert set(spent["kind"].to_pylist()) == {"global_conversion"}
    refunds = spent.filter(pc.less(spent["spend"], 0))
    assert 0 < refunds.num_rows < spent.num_rows / 20
    assert set(refunds["count"].to_pylist()) == {0}
    assert pc.sum(spent["spend"]).as_py() > 0


def test_an_id_comes_again_later_on_its_day_with_other_money_only(events: pa.Table) -> None:
    known: dict[tuple[Any, date], dict[str, Any]] = {}
    corrected = 0
    for row in events.filter(pc.is_valid(events["id"])).to_pylist():
        first = known.setdefault((row["id"], row["time"].date()), row)
        if first is not row:
            corrected += 1
            assert {**first, "spend": None} == {**row, "spend": None}
            assert row["spend"] is None or abs(row["spend"]) <= abs(first["spend"])
    assert 20 < corrected < 200


def test_some_rows_arrive_days_late_none_early(events: pa.Table) -> None:
    latest, late = date(1970, 1, 1), 0
    for day in pc.cast(events["time"], pa.date32()).to_pylist():
        late += day < latest
        latest = max(latest, day)
    assert 60 < late < 1_000


def test_what_is_still_to_come_has_not_arrived() -> None:
    now = datetime(2026, 10, 31, 12, tzinfo=UTC)
    cut = rows(AdEvents(seed=3, days=3, groups=9, rows=5_000, now_us=int(now.timestamp() * 1_000_000)))
    latest = pc.max(cut["time"]).as_py()
    assert datetime(2026, 10, 31, 11, tzinfo=UTC) < latest <= now


def test_a_name_is_corrected_and_a_group_given_up_by_later_versions() -> None:
    groups = ad_groups(1, 12)
    versions = ad_group_rows(groups, 10**15, 2 * 10**15)
    assert len(versions) == 14
    assert [row["is_deleted"] for row in versions[12:]] == [0, 1]
    assert {row["create_time_utc"] for row in versions} == {versions[0]["create_time_utc"]}
    assert all(row["last_update_time_utc"] > versions[0]["last_update_time_utc"] for row in versions[12:])
