"""Combines the generators of one account of the demo, and lists the files to load."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from airtally.demo.ad_events import AdEvents
from airtally.demo.ad_groups import ad_group_rows
from airtally.demo.app_events import AppEvents
from airtally.demo.applications import Applications
from airtally.demo.channels import ACME_KIDS, ACME_MAX, HIMAL_CINE, Catalog, DemoBusiness
from airtally.demo.playback import Playback
from airtally.demo.playlogs import Playlogs
from airtally.demo.subscriptions import Subscriptions
from airtally.demo.tables import write
from airtally.demo.venues import BRAZIL, NEPAL, VenuePlace
from airtally.demo.viewers import DemoViewers
from airtally.kit.time import day_start_us, utc_day

#: Viewer samples are kept for 15 days; older ones would be refused.
_VIEWER_DAYS = 14
_SUBSCRIPTION_DAYS = 120


@dataclass(frozen=True, slots=True)
class Setting:
    """An account of the demo: its place, its channels and its delivery applications."""

    place: VenuePlace
    utc_hours: float
    apps: tuple[tuple[str, int], tuple[str, int]]
    businesses: tuple[DemoBusiness, ...]


SETTINGS = {
    "brazil": Setting(BRAZIL, -3, (("acme-live", 77), ("acme-vod", 76)), (ACME_MAX, ACME_KIDS)),
    "nepal": Setting(NEPAL, 5.75, (("himal-live", 12), ("himal-vod", 13)), (HIMAL_CINE,)),
}


@dataclass(frozen=True, slots=True)
class Feed:
    """A file to load: `write` writes it; `rows` is about how many rows it will have."""

    stream: str
    ending: str
    rows: int
    write: Callable[[Path], object]


@dataclass(frozen=True)
class World:
    """The generators of one account, all up to `now_us`. `rows` are the playlogs; the rest is in proportion."""

    setting: Setting
    seed: int
    now_us: int
    days: int
    rows: int
    playlogs: Playlogs

    @property
    def today(self) -> date:
        return utc_day(self.now_us)

    @cached_property
    def ads(self) -> AdEvents:
        groups = max(6, min(40, self.rows // 50_000))
        return AdEvents(self.seed, self.days, self.today, groups, max(300, self.rows // 2), self.now_us)

    @cached_property
    def viewers(self) -> DemoViewers:
        return DemoViewers(
            seed=self.seed,
            days=min(self.days, _VIEWER_DAYS),
            end_day=self.today,
            videos=max(3, min(12, self.rows // 200_000)),
            apps=self.setting.apps,
            utc_hours=self.setting.utc_hours,
            now_us=self.now_us,
        )

    @cached_property
    def applications(self) -> Applications:
        devices = max(40, min(600, self.rows // 5_000))
        return Applications(self.seed, devices_each=devices, days=self.days, now_us=self.now_us)

    @cached_property
    def app_events(self) -> AppEvents:
        rows = max(300, self.rows // 6)
        return AppEvents(self.seed, self.days, self.today, rows, self.applications, self.now_us)

    @cached_property
    def channels(self) -> list[Playback]:
        """One for each business, with its catalog and subscriptions."""
        customers = max(60, self.rows // 1_500)
        return [
            Playback(
                Subscriptions(business, self.seed, _SUBSCRIPTION_DAYS, self.today, customers, self.now_us),
                Catalog(business, self.seed),
                sessions=customers * 5,
                utc_hours=self.setting.utc_hours,
            )
            for business in self.setting.businesses
        ]

    def feeds(self) -> Iterator[Feed]:
        """All files, in an order in which rows come after those that they refer to."""
        begun = day_start_us(self.ads.first_day)
        network = self.playlogs.network
        yield _feed_of_rows("players", network.player_rows(self.now_us))
        yield _feed_of_rows("medias", network.media_rows())
        yield Feed("playlogs", ".ndjson", self.playlogs.total, self.playlogs.write)
        yield _feed_of_rows("ad_groups", ad_group_rows(self.ads.ad_groups, begun, self.now_us))
        yield _tables("ad_events", self.ads.rows, self.ads.tables)
        yield _feed_of_rows("viewer_apps", self.viewers.app_rows(begun))
        yield _tables("viewer_samples", self.viewers.rows, self.viewers.tables)
        yield _feed_of_rows("applications", self.applications.application_rows())
        yield _feed_of_rows("devices", self.applications.device_rows())
        yield _feed_of_rows("device_tags", self.applications.tag_rows())
        yield _tables("app_events", self.app_events.rows, self.app_events.tables)
        for playback in self.channels:
            subscriptions = playback.subscriptions
            yield _feed_of_rows("catalog", playback.catalog.rows(subscriptions.start_us, subscriptions.end_us))
            yield _tables("subscriptions", len(subscriptions.events.at), subscriptions.tables)
            yield _tables("playback", playback.sessions, playback.tables)


def _feed_of_rows(stream: str, rows: list[dict[str, Any]]) -> Feed:
    def write_lines(path: Path) -> None:
        path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))

    return Feed(stream, ".ndjson", len(rows), write_lines)


def _tables(stream: str, rows: int, tables: Callable[[], Iterable[pa.Table]]) -> Feed:
    return Feed(stream, ".parquet", rows, lambda path: write(path, tables()))


def world(
    place: str, seed: int, now_us: int, now_local: datetime, *, days: int, rows: int, players: int | None
) -> World:
    """The generators of an account. `now_local` is the time on the account's wall clock, without zone."""
    setting = SETTINGS[place]
    playlogs = Playlogs(
        seed=seed,
        days=days,
        end_day=now_local.date(),
        players=players,
        rows=rows,
        now=now_local,
        place=setting.place,
    )
    return World(setting, seed, now_us, days, rows, playlogs)
