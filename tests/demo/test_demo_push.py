from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from airtally.demo.app_events import AppEvents
from airtally.demo.applications import Applications
from airtally.demo.tables import plain
from airtally.streams import STREAMS

NOW_US = 1_793_491_200_000_000  # 2026-11-01T00:00:00Z
APPS = Applications(wanted=3, devices_each=120, now_us=NOW_US)
SMALL = AppEvents(seed=5, days=10, end_day=date(2026, 10, 31), rows=40_000, applications=APPS)


def rows(made: AppEvents = SMALL) -> pa.Table:
    return pa.concat_tables(plain(STREAMS["app_events"], each) for each in made.tables())


@pytest.fixture(scope="module")
def events() -> pa.Table:
    return rows()


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(events: pa.Table) -> None:
    assert rows().equals(events)
    assert not rows(AppEvents(seed=6, days=10, rows=40_000, applications=APPS)).equals(events)


def test_the_rows_wanted_are_reached_exactly() -> None:
    for wanted in (1, 1_001, 40_000):
        assert rows(AppEvents(days=4, rows=wanted, applications=APPS)).num_rows == wanted


def test_every_event_is_of_a_device_of_its_application(events: pa.Table) -> None:
    known = {(device.application, device.name, device.user) for device in APPS.devices}
    found = zip(*(events[name].to_pylist() for name in ("application", "hwid", "user_id")), strict=True)
    assert set(found) <= known
    assert {device.application for device in APPS.devices} == set(APPS.codes)


def test_an_attribute_has_one_type_whatever_row_is_met_first(events: pa.Table) -> None:
    types: dict[tuple[str, str], set[type]] = defaultdict(set)
    for event, text in zip(events["event"].to_pylist(), events["attributes"].to_pylist(), strict=True):
        for name, value in json.loads(text or "{}").items():
            types[event, name].add(type(value))
            assert name != "amount" or value % 1
    assert types["Purchase", "amount"] == {float}
    assert types["CartOpen", "items"] == {int}
    assert types["CartOpen", "vip"] == {bool}
    assert types["Purchase", "coupons"] == {list}
    assert all(len(each) == 1 for each in types.values())


def test_a_part_has_attributes_a_part_an_id_some_stand_for_several(events: pa.Table) -> None:
    assert 0.5 < 1 - events["attributes"].null_count / events.num_rows < 0.7
    assert 0.05 < 1 - events["id"].null_count / events.num_rows < 0.15
    assert pc.max(events["count"]).as_py() > 5


def test_a_repeat_has_the_id_and_the_time_of_what_it_corrects(events: pa.Table) -> None:
    known: dict[Any, dict[str, Any]] = {}
    corrected = 0
    for row in events.filter(pc.is_valid(events["id"])).to_pylist():
        first = known.setdefault((row["id"], row["time"].date()), row)
        if first is not row:
            corrected += 1
            assert {**first, "attributes": None} == {**row, "attributes": None}
            assert row["attributes"] is not None
    assert 20 < corrected < 80


def test_the_day_has_its_curve_and_the_campaign_its_peak(events: pa.Table) -> None:
    hours = Counter(pc.hour(events["time"]).to_pylist())
    assert max(hours.values()) > 1.5 * min(hours.values())
    first = events.filter(pc.equal(events["application"], APPS.codes[0]))
    days = Counter(pc.cast(first["time"], pa.date32()).to_pylist())
    assert max(days, key=lambda day: days[day]) == SMALL.campaign_day


def test_some_rows_arrive_a_day_late(events: pa.Table) -> None:
    days = pc.cast(events["time"], pa.date32()).to_pylist()
    latest, late = days[0], 0
    for day in days:
        late += day < latest
        latest = max(latest, day)
    assert 100 < late < 500


def test_what_is_still_to_come_has_not_arrived() -> None:
    now = datetime(2026, 10, 31, 12, tzinfo=UTC)
    cut = rows(AppEvents(days=2, rows=5_000, applications=APPS, now_us=int(now.timestamp() * 1_000_000)))
    assert datetime(2026, 10, 31, 10, tzinfo=UTC) < pc.max(cut["time"]).as_py() <= now


def test_devices_get_new_tokens_and_some_go() -> None:
    versions = defaultdict(list)
    for row in APPS.device_rows():
        versions[row["application"], row["hwid"]].append(row)
    assert len(versions) == 360
    later = [each[1] for each in versions.values() if len(each) > 1]
    assert {row["is_deleted"] for row in later} == {0, 1}
    assert all(
        each[0]["last_update_time_utc"] < each[-1]["last_update_time_utc"] for each in versions.values() if each[1:]
    )
    shared = Counter(name for _, name in versions)
    assert max(shared.values()) == 3  # one device, all applications


def test_tags_are_of_one_application_or_of_all_and_keep_their_types() -> None:
    known = {(device.application, device.name) for device in APPS.devices}
    types, scopes = defaultdict(set), defaultdict(set)
    for row in APPS.tag_rows():
        scopes[row["tag"]].add(row["application"] is None)
        if row["value"] is not None:
            types[row["tag"]].add(type(row["value"]))
        assert row["application"] is None or (row["application"], row["hwid"]) in known
    assert dict(types) == {"Topics": {list}, "Orders": {int}, "City": {str}, "Subscriber": {bool}}
    assert dict(scopes) == {"Topics": {False}, "Orders": {False}, "City": {True}, "Subscriber": {True}}


def test_codes_of_two_accounts_differ() -> None:
    assert not set(APPS.codes) & set(Applications(seed=2).codes)
    assert all(len(code) == 11 and code[5] == "-" for code in APPS.codes)
