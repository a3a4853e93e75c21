"""Generates events of users in applications, with attributes, in order of arrival."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa

from airtally.demo import countries
from airtally.demo.applications import Applications
from airtally.demo.chance import WEEK, DayClock, Flags, Floats, Ints, Weighted, draws, falling, on_utc_day, shares
from airtally.demo.tables import moments, picked, some, some_ids, table
from airtally.kit.time import DAY_US, day_start_us
from airtally.streams.app_events import APP_EVENTS

EVENTS = ("ScreenOpen", "ProductView", "CartOpen", "Purchase", "LevelUp")
_EVENT = Weighted((52.0, 27.0, 12.0, 3.0, 6.0))
_SOURCES = ("push", "organic", "email", "ad")
_AWAKE = DayClock(countries.AWAKE)
_COUNTRY = Weighted(countries.SHARES)

_WITH_ATTRIBUTES = 0.6
_WITH_ID = 0.1
_COUNTED = 0.02
_REPEATED = 0.001  # of all rows: sent again with their id, the attributes complete
_LATE = 0.006
_LAUNCH_PEAK = 2.5  # a campaign in the middle, for the first application


@dataclass(frozen=True)
class AppEvents:
    """Events of the `days` days up to `end_day`: exactly `rows` rows, unless `now_us` cuts the last day short."""

    seed: int = 1
    days: int = 30
    end_day: date = date(2026, 10, 31)
    rows: int = 1_000_000
    applications: Applications = field(default_factory=Applications)
    now_us: int | None = None

    @property
    def first_day(self) -> date:
        return self.end_day - timedelta(days=self.days - 1)

    @property
    def campaign_day(self) -> date:
        return self.first_day + timedelta(days=self.days // 2)

    def tables(self) -> Iterator[pa.Table]:
        """Rows day by day; phones that were off send theirs on the next day."""
        kept: list[pa.Table] = []
        for number, count in enumerate(shares(self.rows, self._day_weights)):
            made, late = self._day(number, int(count))
            last = number == self.days - 1
            yield from [made if last else made.filter(pa.array(~late)), *kept]
            kept = [] if last else [made.filter(pa.array(late))]

    @cached_property
    def _weights(self) -> Floats:
        """Each application's share of each day: days by applications."""
        weights = np.tile(falling(len(self.applications.codes)), (self.days, 1))
        weights[(self.campaign_day - self.first_day).days, 0] *= _LAUNCH_PEAK
        return weights

    @cached_property
    def _day_weights(self) -> Floats:
        weekday = (self.first_day.weekday() + np.arange(self.days)) % 7
        weights: Floats = self._weights.sum(axis=1) * np.asarray(WEEK)[weekday]
        return weights

    def _day(self, number: int, count: int) -> tuple[pa.Table, Flags]:
        """The rows of a day by their time, repeats last, and which of them come a day late."""
        chance = draws("app events", self.seed, self.days, number)
        repeats = round(count * _REPEATED)
        once = count - repeats
        at = np.sort(self._times(chance, number, once))
        with_id = chance.random(once) < _WITH_ID
        again = chance.choice(np.flatnonzero(with_id), min(repeats, int(with_id.sum())))
        place = np.concatenate([np.arange(once), again])
        at, late = at[place], (chance.random(once) < _LATE)[place]
        made = self._table(chance, number, at, place, with_id[place])
        seen = at <= (self.now_us or at.max(initial=0))
        return made.filter(pa.array(seen)), late[seen]

    def _times(self, chance: np.random.Generator, number: int, count: int) -> Ints:
        ahead = countries.UTC_SECONDS[_COUNTRY.draw(chance, count)]
        return on_utc_day(day_start_us(self.first_day) + number * DAY_US, _AWAKE.seconds(chance, count), ahead)

    def _table(self, chance: np.random.Generator, number: int, at: Ints, place: Ints, with_id: Flags) -> pa.Table:
        once = int(place.max(initial=-1)) + 1
        application = Weighted(self._weights[number]).draw(chance, once)[place]
        device = chance.integers(0, self.applications.devices_each, once)[place]
        owner = application * self.applications.devices_each + device
        event = _EVENT.draw(chance, once)[place]
        first = np.arange(len(place)) < once
        told = (chance.random(once) < _WITH_ATTRIBUTES)[place] | ~first
        counted = (chance.random(once) < _COUNTED)[place]
        kinds = chance.integers(0, _KINDS, once)[place]
        return table(
            APP_EVENTS,
            {
                "application": picked(application, self.applications.codes),
                "event": picked(event, EVENTS),
                "time": moments(at),
                "id": some_ids(f"{number}", place, with_id),
                "hwid": picked(owner, self._names),
                "user_id": some(owner, self._users, self._known[owner]),
                "count": pa.array(np.where(counted, 1 + kinds % 9, 1)),
                "attributes": some(event * _KINDS + kinds, _ATTRIBUTES, told),
            },
        )

    @cached_property
    def _names(self) -> pa.Array:
        return pa.array([device.name for device in self.applications.devices], pa.string())

    @cached_property
    def _users(self) -> pa.Array:
        return pa.array([device.user or "" for device in self.applications.devices], pa.string())

    @cached_property
    def _known(self) -> Flags:
        return np.array([device.user is not None for device in self.applications.devices])


_KINDS = 240


def _attributes(event: str, number: int) -> str:
    """One of an event's sets of attributes, as the lake keeps JSON: compact, keys sorted.

    A price is never a whole number, as the first row decides an attribute's type.
    """
    found: dict[str, object] = {"source": _SOURCES[number % 7 % 4]}
    if event in {"CartOpen", "Purchase"}:
        found |= {"items": 1 + number % 9, "vip": number % 5 == 0}
    if event == "Purchase":
        found |= {"amount": round(4.99 + number % 60, 2), "coupons": ["welcome", "spring"][: 1 + number % 2]}
    if event == "ProductView":
        found["category"] = ("shoes", "games", "books", "garden", "music")[number % 5]
    if event == "LevelUp":
        found["level"] = 1 + number % 40
    return json.dumps(found, sort_keys=True, separators=(",", ":"))


_ATTRIBUTES = pa.array([_attributes(event, number) for event in EVENTS for number in range(_KINDS)], pa.string())
