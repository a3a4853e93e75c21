"""The data at scale that the benchmarks of the vendors' APIs ask about."""

from __future__ import annotations

from datetime import date

from airtally.demo.ad_events import AdEvents
from airtally.demo.ad_groups import ad_group_rows, ad_groups
from airtally.demo.app_events import AppEvents
from airtally.demo.applications import Applications
from airtally.demo.channels import ACME_MAX
from airtally.demo.subscriptions import Subscriptions
from airtally.demo.viewers import DemoViewers
from airtally.kit.time import DAY_US, day_start_us
from benchmarks.harness import Place
from benchmarks.kept import Source
from benchmarks.server import SLUG, Home

GROUP, DATASET = "channels", "subscriptions-at-scale"
_SEED = 1


def groups_of(place: Place) -> int:
    return place.size(1_000, 20)


def ads(place: Place, *, tenth: bool = False) -> Source:
    """Two years of ad events in a thousand ad groups; `tenth`: as many groups and days, a tenth of the rows."""
    rows, days = place.size(100_000_000, 200_000), place.size(730, 100)
    groups = ad_groups(_SEED, groups_of(place))

    def events(end_day: date) -> AdEvents:
        return AdEvents(_SEED, days, end_day, len(groups), rows // 10 if tenth else rows)

    def declared(end_day: date) -> dict[str, list[dict[str, object]]]:
        made_us = day_start_us(end_day) - days * DAY_US
        return {"ad_groups": ad_group_rows(groups, made_us, made_us)[: len(groups)]}

    return Source(
        "ad-events-tenth" if tenth else "ad-events",
        "ad_events",
        rows // 10 if tenth else rows,
        before=declared,
        tables=lambda end_day: events(end_day).tables(),
        keys=("tapjoy",),
    )


def late_ads(place: Place, end_day: date) -> AdEvents:
    """A million more of the last ninety days."""
    rows, days = place.size(1_000_000, 5_000), place.size(90, 20)
    return AdEvents(_SEED, days, end_day, groups_of(place), rows)


def viewers_at(place: Place, end_day: date) -> DemoViewers:
    videos, days = place.size(100, 6), place.size(15, 2)
    return DemoViewers(_SEED, days, end_day, videos, peak=40_000.0)


def viewers(place: Place) -> Source:
    """A hundred streams on four servers by the minute for fifteen days."""
    return Source(
        "viewer-samples",
        "viewer_samples",
        viewers_at(place, date(2026, 1, 31)).rows,
        before=lambda end_day: {"viewer_apps": viewers_at(place, end_day).app_rows(day_start_us(end_day))},
        tables=lambda end_day: viewers_at(place, end_day).tables(),
        keys=("scaleengine",),
    )


def app_events_at(place: Place, end_day: date) -> AppEvents:
    rows, days = place.size(50_000_000, 60_000), place.size(180, 40)
    apps = Applications(_SEED, devices_each=place.size(20_000, 100), days=days, now_us=day_start_us(end_day) + DAY_US)
    return AppEvents(_SEED, days, end_day, rows, apps)


def app_events(place: Place) -> Source:
    """Half a year of events in three applications, with attributes on a part of them."""
    return Source(
        "app-events",
        "app_events",
        place.size(50_000_000, 60_000),
        before=lambda end_day: {"applications": app_events_at(place, end_day).applications.application_rows()},
        tables=lambda end_day: app_events_at(place, end_day).tables(),
        keys=("pushwoosh",),
    )


def subscriptions(place: Place) -> Source:
    """A year of one channel's customers, to be published as csv.gz."""
    customers = place.size(1_950_000, 1_000)
    return Source(
        "subscriptions",
        "subscriptions",
        customers,
        before=lambda _: {},
        tables=lambda end_day: Subscriptions(ACME_MAX, _SEED, 365, end_day, customers).tables(),
        set_up=_make_channel,
    )


def _make_channel(home: Home) -> None:
    business = ("--business", ACME_MAX.id, "--name", ACME_MAX.name, "--territory", ACME_MAX.territory)
    dataset = ("--dataset", f"subscription={DATASET}", "--format", "csv.gz")
    home.run("slate", "business", "create", "--account", SLUG, "--group", GROUP, *business, *dataset)
