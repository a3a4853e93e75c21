"""Generates viewers of live channels and videos, by server and minute, in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
import pyarrow as pa

from airtally.demo.chance import WEEK, Floats, Ints, draws, falling
from airtally.demo.tables import iso_millis, moments, picked, table
from airtally.kit.time import DAY_US, day_start_us
from airtally.streams.viewer_samples import VIEWER_SAMPLES

MINUTE_US = 60_000_000
_HOURS = 24
#: How many watch in each hour of the local day: the evening is the peak.
_LIVE = (26, 14, 8, 5, 4, 5, 9, 16, 20, 20, 21, 24, 32, 33, 28, 27, 30, 36, 46, 62, 84, 100, 88, 52)
_ON_DEMAND = (40, 24, 14, 9, 7, 7, 10, 16, 22, 26, 29, 32, 38, 40, 38, 38, 42, 48, 56, 68, 84, 96, 92, 66)
_SHOWS = ("pilot", "harbour", "night-train", "cooking", "derby", "lanterns", "orchard", "glacier", "paper", "attic")
_CHANNELS = ("main", "news", "sport", "kids", "music", "movies", "cities", "nature")

_OUTAGE_MINUTES = range(19 * 60 + 40, 21 * 60 + 10)  # of the UTC day
_LAUNCH_HOUR = 20
_LAUNCH_PEAK = 14.0
_LATE_SERVER_HOUR = 5  # one server's samples of this hour come an hour later
_CORRECTED = 0.001


@dataclass(frozen=True, slots=True)
class Video:
    """A live stream or a file; `viewers` at the peak of a usual day, all servers together."""

    app: str
    url: str
    live: bool
    viewers: float


@dataclass(frozen=True)
class DemoViewers:
    """Samples of the `days` days up to `end_day`. The same fields give the same rows.

    `apps` are an application for live streams and one for files, with their numbers. Two evenings differ: a launch
    on the first video, and an hour and a half in which one server is down and the others take over its viewers.
    """

    seed: int = 1
    days: int = 15
    end_day: date = date(2026, 10, 31)
    videos: int = 20
    servers: tuple[str, ...] = ("edge-1", "edge-2", "edge-3", "edge-4")
    apps: tuple[tuple[str, int], tuple[str, int]] = (("acme-live", 77), ("acme-vod", 76))
    utc_hours: float = -3
    peak: float = 4_000.0
    now_us: int | None = None

    @property
    def first_day(self) -> date:
        return self.end_day - timedelta(days=self.days - 1)

    @property
    def launch_day(self) -> date:
        return self.first_day + timedelta(days=self.days // 2)

    @property
    def outage_day(self) -> date:
        """The day on which the second server is down."""
        return self.first_day + timedelta(days=self.days * 3 // 4)

    @property
    def rows(self) -> int:
        """About how many rows there are, if the last day is complete."""
        return self.days * _HOURS * 60 * self.videos * len(self.servers)

    def app_rows(self, made_us: int) -> list[dict[str, Any]]:
        """Rows of the stream `viewer_apps`: the second application had a wrong number at first."""
        (live, live_id), (files, files_id) = self.apps
        first = {"create_time_utc": iso_millis(made_us), "last_update_time_utc": iso_millis(made_us), "is_deleted": 0}
        return [
            {"app": live, "app_id": live_id} | first,
            {"app": files, "app_id": files_id + 100_000} | first,
            {"app": files, "app_id": files_id} | first | {"last_update_time_utc": iso_millis(made_us + MINUTE_US)},
        ]

    @cached_property
    def all_videos(self) -> list[Video]:
        found: list[Video] = []
        (live, _), (files, _) = self.apps
        for number, share in zip(count(), falling(self.videos, 0.8), strict=False):
            if len(found) == self.videos:
                break
            viewers = self.peak * share
            if number % 3 == 2:
                show = _SHOWS[number // 3 % len(_SHOWS)]
                url = f"sestore1/{files.split('-')[0]}/shows/{show}-{number // 30 + 1}.mp4"
                found.append(Video(files, url, live=False, viewers=viewers / 3))
            else:
                channel = _CHANNELS[number // 2 % len(_CHANNELS)]
                url = f"{channel}{number // 16 + 1}_{'720p' if number % 2 == 0 else '360p'}"
                found.append(Video(live, url, live=True, viewers=viewers))
        return found

    def tables(self) -> Iterator[pa.Table]:
        """Rows hour by hour, late rows with those of the next hour."""
        for day in range(self.days):
            for hour in range(_HOURS):
                made = self._hour(day, hour)
                if made is not None and made.num_rows:
                    yield made

    def _hour(self, day: int, hour: int) -> pa.Table | None:
        parts = [self._samples(day, hour, late=False)]
        if hour == _LATE_SERVER_HOUR + 1:
            parts.append(self._samples(day, _LATE_SERVER_HOUR, late=True))
        rows = _Samples.joined(parts)
        rows = rows.corrected(draws("viewers corrected", self.seed, self.days, day, hour))
        if self.now_us is not None:
            rows = rows.take(rows.minute * MINUTE_US <= self.now_us)
        return self._table(rows)

    def _samples(self, day: int, hour: int, *, late: bool) -> _Samples:
        """The samples of one hour, by minute, video and server."""
        minutes = np.arange(hour * 60, hour * 60 + 60)
        chance = draws("viewers", self.seed, self.days, day, hour)
        up = self._up(day, minutes)
        each = self._watching(day, minutes)[:, :, None] * (up / up.sum(axis=1, keepdims=True))[:, None, :]
        viewers = chance.poisson(each)
        there = np.broadcast_to(up[:, None, :] > 0, viewers.shape).copy()
        if hour == _LATE_SERVER_HOUR:
            there &= (np.arange(len(self.servers)) == len(self.servers) - 1) == late
        at, video, server = np.nonzero(there)
        start = (day_start_us(self.first_day) + day * DAY_US) // MINUTE_US
        return _Samples(start + minutes[at], video, server, viewers[at, video, server])

    def _watching(self, day: int, minutes: Ints) -> Floats:
        """Viewers of each video in each minute, by the hour, the weekday and the launch."""
        local = (minutes / 60 + self.utc_hours) % 24
        edges = np.arange(25)
        curves = {live: np.interp(local, edges, [*hours, hours[0]]) / 100 for live, hours in _CURVES.items()}
        weekday = WEEK[(self.first_day + timedelta(days=day)).weekday()]
        found = np.stack([curves[video.live] * video.viewers * weekday for video in self.all_videos], axis=1)
        if self.first_day + timedelta(days=day) == self.launch_day:
            since = minutes - _LAUNCH_HOUR * 60
            surge = np.where(since < 0, 0.0, _LAUNCH_PEAK * np.minimum(since / 6, 1.0) * np.exp(-since / 50))
            found[:, 0] *= 1.0 + surge
        return found

    def _up(self, day: int, minutes: Ints) -> Floats:
        """Each server's share of the viewers in each minute; 0 where it is down."""
        shares = np.tile(1.0 + 0.15 * np.arange(len(self.servers)), (len(minutes), 1))
        if self.first_day + timedelta(days=day) == self.outage_day and len(self.servers) > 1:
            shares[np.isin(minutes, _OUTAGE_MINUTES), 1] = 0.0
            # A server that comes back has hardly any viewers for some minutes.
            shares[np.isin(minutes, range(_OUTAGE_MINUTES.stop, _OUTAGE_MINUTES.stop + 5)), 1] = 1e-6
        return shares

    def _table(self, rows: _Samples) -> pa.Table:
        apps = [name for name, _ in self.apps]
        of_video = np.array([apps.index(video.app) for video in self.all_videos])
        return table(
            VIEWER_SAMPLES,
            {
                "app": picked(of_video[rows.video], apps),
                "video_url": picked(rows.video, [video.url for video in self.all_videos]),
                "server": picked(rows.server, self.servers),
                "time": moments(rows.minute * MINUTE_US),
                "viewers": pa.array(rows.viewers),
            },
        )


_CURVES = {True: _LIVE, False: _ON_DEMAND}


@dataclass(frozen=True)
class _Samples:
    """Columns of samples; `minute` counts from 1970."""

    minute: Ints
    video: Ints
    server: Ints
    viewers: Ints

    @classmethod
    def joined(cls, parts: list[_Samples]) -> _Samples:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    def take(self, places: Any) -> _Samples:
        return _Samples(*(getattr(self, name)[places] for name in self.__dataclass_fields__))

    def corrected(self, chance: np.random.Generator) -> _Samples:
        """The samples, followed by corrections of some of them, with more viewers."""
        again = self.take(np.flatnonzero(chance.random(len(self.minute)) < _CORRECTED))
        return self.joined([self, replace(again, viewers=again.viewers + 1 + again.viewers // 20)])
