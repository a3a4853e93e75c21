"""Generates renders, clicks, conversions and installs of ad groups in order of arrival."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa

from airtally.demo import countries
from airtally.demo.ad_groups import LAUNCHED, DemoAdGroup, ad_groups
from airtally.demo.chance import WEEK, DayClock, Flags, Floats, Ints, Weighted, draws, on_utc_day, shares
from airtally.demo.tables import moments, money, picked, some_ids, table
from airtally.kit.time import DAY_US, day_start_us
from airtally.streams.ad_events import AD_EVENTS

KINDS = ("global_render", "paid_click", "global_conversion", "install")
_RENDER, _CLICK, _CONVERSION, _INSTALL = range(4)
_KINDS = Weighted((78.0, 15.0, 4.0, 3.0))
_COUNTRIES = Weighted(countries.SHARES)
_AWAKE = DayClock(countries.AWAKE)

_COUNTED = 0.06  # of the renders come as rows that stand for several
_REFUNDS = 0.01  # of the conversions
_CORRECTED = 0.001  # of all rows are an earlier one with other money
_CORRECTION = 0.9
_LATE = 0.004  # arrive days later
_LATE_DAYS = 4
_GROWTH = 0.5  # over the whole time
_LAUNCH_DAYS = 6.0
_LAUNCH_PEAK = 5.0


@dataclass(frozen=True)
class AdEvents:
    """Ad events of the `days` days up to `end_day`. The same fields give the same rows.

    There are exactly `rows` rows, late and corrected ones included, unless `now_us` cuts the last day short: no row
    happens or arrives after it.
    """

    seed: int = 1
    days: int = 30
    end_day: date = date(2026, 10, 31)
    groups: int = 40
    rows: int = 1_000_000
    now_us: int | None = None

    @cached_property
    def ad_groups(self) -> list[DemoAdGroup]:
        return ad_groups(self.seed, self.groups)

    @property
    def first_day(self) -> date:
        return self.end_day - timedelta(days=self.days - 1)

    @property
    def launch_day(self) -> date:
        """The first day on which the first group is advertised, after two thirds of the time."""
        return self.first_day + timedelta(days=self.days * 2 // 3)

    def tables(self) -> Iterator[pa.Table]:
        """Rows day by day, each day with the late rows that arrive on it."""
        late: dict[int, list[pa.Table]] = defaultdict(list)
        for number, count in enumerate(shares(self.rows, self._day_weights)):
            made, arrivals = self._day(number, int(count))
            yield made.filter(pa.array(arrivals == number))
            for arrival in np.unique(arrivals[arrivals > number]):
                late[int(arrival)].append(made.filter(pa.array(arrivals == arrival)))
            yield from late.pop(number, [])

    @cached_property
    def _weights(self) -> Floats:
        """Each group's weight on each day, not normalized: days by groups."""
        of_group = np.array([group.weight for group in self.ad_groups])
        weights = np.tile(of_group, (self.days, 1))
        since = np.arange(self.days) - (self.launch_day - self.first_day).days
        launch = np.where(since < 0, 0.0, 1.0 + _LAUNCH_PEAK * np.exp(-np.maximum(since, 0) / _LAUNCH_DAYS))
        weights[:, LAUNCHED] *= launch
        return weights

    @cached_property
    def _day_weights(self) -> Floats:
        weekday = (self.first_day.weekday() + np.arange(self.days)) % 7
        growth = 1.0 + _GROWTH * np.arange(self.days) / self.days
        weights: Floats = self._weights.sum(axis=1) * np.asarray(WEEK)[weekday] * growth
        return weights

    def _day(self, number: int, count: int) -> tuple[pa.Table, Ints]:
        """The rows of a day by their time, corrections last, and the days on which they arrive."""
        chance = draws("ad events", self.seed, self.days, number)
        corrected = round(count * _CORRECTED)
        rows = _Rows.drawn(chance, count - corrected, self._weights[number])
        at = self._times(chance, number, rows.country)
        arrivals = self._arrivals(chance, number, len(at))
        order = np.argsort(at)
        with_id = np.flatnonzero(rows.has_id[order])
        place = np.concatenate([np.arange(len(at)), chance.choice(with_id, min(corrected, len(with_id)))])
        kept = order[place]
        rows, at, arrivals = rows.take(kept), at[kept], arrivals[kept]
        made = self._table(rows, at, place, number)
        seen = at <= (self.now_us or at.max(initial=0))
        return made.filter(pa.array(seen)), arrivals[seen]

    def _times(self, chance: np.random.Generator, number: int, country: Ints) -> Ints:
        start = day_start_us(self.first_day) + number * DAY_US
        return on_utc_day(start, _AWAKE.seconds(chance, len(country)), countries.UTC_SECONDS[country])

    def _arrivals(self, chance: np.random.Generator, number: int, count: int) -> Ints:
        """The day on which each row arrives. All late rows of a day arrive together, some days later."""
        delay = chance.integers(1, _LATE_DAYS + 1)
        arrivals: Ints = np.minimum(number + np.where(chance.random(count) < _LATE, delay, 0), self.days - 1)
        return arrivals

    def _table(self, rows: _Rows, at: Ints, place: Ints, number: int) -> pa.Table:
        """`place` is a row's number in its day; a later row with the same one corrects it."""
        first = np.zeros(len(at), bool)
        first[np.unique(place, return_index=True)[1]] = True
        worth = self._prices[rows.group] * countries.WORTH[rows.country] * np.where(first, 1.0, _CORRECTION)
        cents = np.maximum(1, np.round(worth * 100)).astype(np.int64)
        paid = rows.kind == _CONVERSION
        return table(
            AD_EVENTS,
            {
                "ad_group_id": picked(rows.group, self._names),
                "time": moments(at),
                "id": some_ids(f"{number}", place, rows.has_id),
                "kind": picked(rows.kind, KINDS),
                "country": picked(rows.country, countries.CODES),
                "count": pa.array(rows.count),
                "spend": money(np.where(rows.refund, -cents, cents) * 10_000, paid),
            },
        )

    @cached_property
    def _prices(self) -> Floats:
        return np.array([group.price for group in self.ad_groups])

    @cached_property
    def _names(self) -> pa.Array:
        return pa.array([group.id for group in self.ad_groups], pa.string())


@dataclass(frozen=True)
class _Rows:
    """Drawn columns of a day's rows."""

    group: Ints
    country: Ints
    kind: Ints
    count: Ints
    refund: Flags
    has_id: Flags

    @classmethod
    def drawn(cls, chance: np.random.Generator, count: int, weights: Floats) -> _Rows:
        kind = _KINDS.draw(chance, count)
        lucky = chance.random(count)
        counts = np.ones(count, np.int64)
        several = (kind == _RENDER) & (lucky < _COUNTED)
        counts[several] = chance.integers(2, 40, int(several.sum()))
        refund = (kind == _CONVERSION) & (lucky < _REFUNDS)
        counts[refund] = 0
        has_id = (kind >= _CONVERSION) & (lucky > 0.5)
        return cls(Weighted(weights).draw(chance, count), _COUNTRIES.draw(chance, count), kind, counts, refund, has_id)

    def take(self, places: Ints) -> _Rows:
        return _Rows(*(getattr(self, name)[places] for name in self.__dataclass_fields__))
