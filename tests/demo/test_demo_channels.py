from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from airtally.demo.channels import ACME_KIDS, ACME_MAX, Catalog
from airtally.demo.playback import Playback
from airtally.demo.subscriptions import Subscriptions
from airtally.demo.tables import plain
from airtally.streams import STREAMS

SUBSCRIPTIONS = Subscriptions(ACME_MAX, days=120, end_day=date(2026, 10, 31), customers=2_000)
CATALOG = Catalog(ACME_MAX)
PLAYBACK = Playback(SUBSCRIPTIONS, CATALOG, sessions=8_000)

Row = dict[str, Any]


def table(stream: str, made: Any) -> pa.Table:
    return pa.concat_tables(plain(STREAMS[stream], each) for each in made.tables())


def current(versions: list[Row], key: str) -> dict[str, Row]:
    """The last version of each record that is not deleted."""
    found: dict[str, Row] = {}
    for row in sorted(versions, key=lambda row: row["last_update_time_utc"]):
        found[row[key]] = row
    return {name: row for name, row in found.items() if not row["is_deleted"]}


@pytest.fixture(scope="module")
def events() -> list[Row]:
    return table("subscriptions", SUBSCRIPTIONS).to_pylist()


@pytest.fixture(scope="module")
def sessions() -> list[Row]:
    return table("playback", PLAYBACK).to_pylist()


@pytest.fixture(scope="module")
def titles() -> list[Row]:
    return CATALOG.rows(SUBSCRIPTIONS.start_us, SUBSCRIPTIONS.end_us)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(events: list[Row]) -> None:
    again = Subscriptions(ACME_MAX, days=120, end_day=date(2026, 10, 31), customers=2_000)
    other = Subscriptions(ACME_MAX, seed=2, days=120, end_day=date(2026, 10, 31), customers=2_000)
    assert table("subscriptions", again).to_pylist() == events
    assert table("subscriptions", other).to_pylist() != events


def test_every_customer_starts_once_and_first(events: list[Row]) -> None:
    lives = defaultdict(list)
    for row in current(events, "subscription_event_id").values():
        lives[row["cid"]].append((row["subscription_event_time_utc"], row["subscription_event_type"]))
    assert len(lives) == 2_000
    for life in lives.values():
        kinds = [kind for _, kind in sorted(life)]
        assert kinds[0] == "Start"
        assert kinds.count("Start") == 1
        assert kinds.count("Cancel") <= 1
        assert "Cancel" not in kinds[:-1]


def test_the_types_of_events_are_the_documented_ones_in_their_shares(events: list[Row]) -> None:
    found = Counter(row["subscription_event_type"] for row in events)
    assert set(found) == {"Start", "Renewal", "Cancel", "AutoRenewOff", "AutoRenewOn"}
    assert found["AutoRenewOn"] < found["AutoRenewOff"] < found["Renewal"]


def test_what_playback_refers_to_is_there_or_null(events: list[Row], sessions: list[Row], titles: list[Row]) -> None:
    live_events, live_titles = current(events, "subscription_event_id"), current(titles, "id")
    assert 0 < sum(row["subscription_event_id"] is None for row in sessions) < len(sessions) / 10
    assert 0 < sum(row["catalog_id"] is None for row in sessions) < len(sessions) / 10
    for row in sessions:
        assert row["catalog_id"] is None or row["catalog_id"] in live_titles
        if row["subscription_event_id"] is not None:
            event = live_events[row["subscription_event_id"]]
            assert event["cid"] == row["cid"]
            assert event["offer_id"] == row["subscription_offer_id"]
            assert event["subscription_event_time_utc"] < row["start_segment_utc"]
            assert event["subscription_event_type"] in {"Start", "Renewal"}
            assert event["create_time_utc"] <= row["create_time_utc"]


def test_a_session_adds_up(sessions: list[Row]) -> None:
    for row in sessions:
        assert (row["end_segment_utc"] - row["start_segment_utc"]).total_seconds() == row["seconds_viewed"]
        assert row["position_end"] - row["position_start"] == pytest.approx(row["seconds_viewed"])
        assert row["start_segment_utc"] < row["create_time_utc"] <= row["last_update_time_utc"]


def test_enumerations_are_the_documented_ones(events: list[Row], sessions: list[Row], titles: list[Row]) -> None:
    def values(rows: list[Row], name: str) -> set[Any]:
        return {row[name] for row in rows}

    assert values(events, "offer_billing_type") == {"HO", "FT"}
    assert values(events, "offer_type") == {"Subscription"}
    assert values(events, "is_promo") == {0, 1}
    assert values(sessions, "stream_type") == {"VOD", "LIVE", "JAB"}
    assert values(sessions, "device_class") == {"Living Room", "Mobile", "Web", "Other"}
    assert values(sessions, "connection_type") == {"WIFI", "WIRED", "MOBILE", "UNKNOWN"}
    assert values(sessions, "playback_method") == {"Online", "Offline"}
    assert values(sessions, "quality") == {"1080p", "4K", "720p", "480p"}
    assert values(sessions, "event_type") == {"playback_segments"}
    assert values(titles, "content_type") == {"Series", "Movie"}
    assert values(titles, "content_quality") == {"HD", "SD"}
    assert values(titles, "content_group") == {"3P_SUBS"}


@pytest.mark.parametrize(
    ("rows", "key"), [("events", "subscription_event_id"), ("sessions", "session_id"), ("titles", "id")]
)
def test_later_versions_correct_and_delete(rows: str, key: str, request: pytest.FixtureRequest) -> None:
    versions = defaultdict(list)
    for row in request.getfixturevalue(rows):
        versions[row[key]].append(row)
    several = [each for each in versions.values() if len(each) > 1]
    assert several
    for each in several:
        times = [row["last_update_time_utc"] for row in each]
        assert times == sorted(set(times))
        assert len({row["create_time_utc"] for row in each}) == 1
    assert {each[-1]["is_deleted"] for each in several} == {0, 1}


def test_evenings_are_busy(sessions: list[Row]) -> None:
    hours = Counter((row["start_segment_utc"].hour - 5) % 24 for row in sessions)
    assert hours[20] > 5 * hours[4]


def test_rows_arrive_in_the_order_of_their_versions_some_events_hours_late(events: list[Row]) -> None:
    updated = [row["last_update_time_utc"] for row in events]
    assert updated == sorted(updated)
    waits = [(row["create_time_utc"] - row["subscription_event_time_utc"]).total_seconds() for row in events]
    assert 3_600 < max(waits) < 12 * 3_600
    assert sum(wait > 3_600 for wait in waits) < len(waits) / 20


def test_businesses_share_no_ids() -> None:
    others = Subscriptions(ACME_KIDS, customers=50)
    ours = Subscriptions(ACME_MAX, customers=50)
    for name in ("subscription_event_id", "cid"):
        assert not set(table("subscriptions", others)[name].to_pylist()) & set(
            table("subscriptions", ours)[name].to_pylist()
        )
    assert not {title.id for title in Catalog(ACME_KIDS).titles} & {title.id for title in CATALOG.titles}
