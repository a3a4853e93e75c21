"""Generates streaming sessions of channel customers in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.demo.chance import DayClock, Flags, Floats, Ints, Weighted, draws, falling, on_utc_day
from airtally.demo.channels import Catalog, Title
from airtally.demo.subscriptions import MONTH_US, RENEWAL, Events, Subscriptions
from airtally.demo.tables import joined, moments, picked, same, some, table
from airtally.kit.time import DAY_US, HOUR_US
from airtally.streams.playback import PLAYBACK

_CHUNK = 200_000
_KINDS = 4_099
_LIVE_MINUTES = 180
#: How many sessions begin in each hour of the local day.
_EVENING = DayClock((3, 2, 1, 0.6, 0.5, 0.6, 1, 2, 2.5, 2.6, 2.8, 3, 3.4, 3.4, 3.2, 3.4, 4, 5, 6.5, 8.5, 10, 9.5, 7, 5))

_NO_TITLE = 0.02
_NO_SUBSCRIPTION = 0.03
_CORRECTED = 0.01
_DELETED = 0.003
_LATE = 0.03

#: Class, sub-class, share.
_DEVICES = (
    ("Living Room", "smart_tv", 34),
    ("Living Room", "roku", 16),
    ("Living Room", "game_console", 8),
    ("Mobile", "phone", 18),
    ("Mobile", "tablet", 9),
    ("Web", "browser", 12),
    ("Other", "unknown", 3),
)
_MOBILE = np.array([of == "Mobile" for of, _, _ in _DEVICES])
_DEVICE = Weighted([share for _, _, share in _DEVICES])
_CONNECTIONS = ("WIFI", "WIRED", "MOBILE", "UNKNOWN")
_CONNECTION = Weighted((62, 22, 14, 2))
_QUALITIES = ("1080p", "4K", "720p", "480p")
_QUALITY = Weighted((55, 18, 19, 8))
_LUCK = Weighted([1.0] * 1000)
_STREAM_TYPES = ("VOD", "LIVE", "JAB")
_DMAS = ("501", "803", "602", "807", "618", "511", "539", "524")


@dataclass(frozen=True)
class _Sessions:
    """`event` is the index of the subscription event that paid for the session."""

    number: Ints
    event: Ints
    start: Ints
    title: Ints
    position: Floats
    seconds: Ints

    def take(self, places: Ints | Flags) -> _Sessions:
        return _Sessions(*(getattr(self, name)[places] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Playback:
    """About `sessions` sessions of a business's customers, without those that would end too late."""

    subscriptions: Subscriptions
    catalog: Catalog
    sessions: int = 10_000
    utc_hours: float = -5

    def tables(self) -> Iterator[pa.Table]:
        """Versions in order of arrival, for `_CHUNK` sessions at a time."""
        for first in range(0, self.sessions, _CHUNK):
            yield self._versions(first, min(_CHUNK, self.sessions - first))

    @cached_property
    def _paid(self) -> Events:
        """The subscription events that each pay for a month of watching."""
        events = self.subscriptions.events
        return events.take(events.kind <= RENEWAL)

    @cached_property
    def _titles(self) -> list[Title]:
        return self.catalog.played

    def _versions(self, first: int, count: int) -> pa.Table:
        chance = draws("playback", self.subscriptions.seed, self.subscriptions.business.id, first)
        sessions = self._sessions(chance, first, count)
        size = len(sessions.start)
        wait = np.where(chance.random(size) < _LATE, 12 * HOUR_US, HOUR_US // 12)
        created = sessions.start + sessions.seconds * 1_000_000 + (chance.random(size) * wait).astype(np.int64)
        luck = chance.random(size)
        again = np.flatnonzero(luck < _CORRECTED + _DELETED)
        later = created[again] + chance.integers(HOUR_US, 48 * HOUR_US, len(again))
        place, updated = np.concatenate([np.arange(size), again]), np.concatenate([created, later])
        order = np.argsort(updated, kind="stable")
        order = order[updated[order] < self.subscriptions.end_us]
        place, is_again = place[order], order >= size
        deleted = is_again & (luck[place] < _DELETED)
        sessions = sessions.take(place)
        shorter = np.where(is_again & ~deleted, sessions.seconds * 9 // 10, sessions.seconds)
        return self._table(sessions, shorter, created[place], updated[order], deleted)

    def _sessions(self, chance: np.random.Generator, first: int, count: int) -> _Sessions:
        event = chance.integers(0, len(self._paid.at), count)
        bought = self._paid.at[event]
        day = (bought + (chance.random(count) * MONTH_US).astype(np.int64)) // DAY_US * DAY_US
        ahead = np.full(count, self.utc_hours * 3600)
        start = np.clip(
            on_utc_day(day, _EVENING.seconds(chance, count), ahead), bought + 60_000_000, bought + MONTH_US - 1
        )
        title = Weighted(falling(len(self._titles), 0.9)).draw(chance, count)
        whole = np.array([(each.minutes or _LIVE_MINUTES) * 60 for each in self._titles])[title]
        position = np.where(chance.random(count) < 0.7, 0.0, np.round(chance.random(count) * 0.5 * whole, 1))
        seconds = np.maximum(30, (whole - position) * np.minimum(1.0, chance.random(count) * 1.6)).astype(np.int64)
        made = _Sessions(np.arange(first, first + count), event, start, title, position, seconds)
        return made.take(start + seconds * 1_000_000 < self.subscriptions.end_us)

    def _table(self, sessions: _Sessions, seconds: Ints, created: Ints, updated: Ints, deleted: Flags) -> pa.Table:
        """A session's properties follow from its number, so that all its versions have the same ones."""
        business, size = self.subscriptions.business, len(sessions.start)
        events = self._paid.take(sessions.event)
        chance = draws("session", self.subscriptions.seed, business.id)
        kinds = (_DEVICE, _CONNECTION, _QUALITY, _LUCK)
        device, connection, quality, luck = (kind.draw(chance, _KINDS)[sessions.number % _KINDS] for kind in kinds)
        titled, known = luck >= _NO_TITLE * 1000, luck < 1000 - _NO_SUBSCRIPTION * 1000
        live = np.array([each.live is not None for each in self._titles])[sessions.title]
        return table(
            PLAYBACK,
            {
                "business_id": same(size, business.id),
                "session_id": joined(f"{business.id}-p{self.subscriptions.seed}", sessions.number),
                "marketplace_id": pa.array(np.full(size, business.marketplace)),
                "marketplace_desc": same(size, business.marketplace_name),
                "cid": self.subscriptions.cids(events.customer),
                "benefit_id": same(size, business.benefit),
                "catalog_id": some(sessions.title, [each.id for each in self._titles], titled),
                "subscription_offer_id": some(events.offer, [offer.id for offer in business.offers], known),
                "subscription_event_id": pc.if_else(pa.array(known), self.subscriptions.event_ids(events), None),
                "start_segment_utc": moments(sessions.start),
                "end_segment_utc": moments(sessions.start + seconds * 1_000_000),
                "seconds_viewed": pa.array(seconds),
                "position_start": pa.array(sessions.position),
                "position_end": pa.array(sessions.position + seconds),
                "connection_type": picked(connection, _CONNECTIONS),
                "stream_type": picked(np.where(live, 1, np.where(luck > 900, 2, 0)), _STREAM_TYPES),
                "device_class": picked(device, [of for of, _, _ in _DEVICES]),
                "device_sub_class": picked(device, [name for _, name, _ in _DEVICES]),
                "geo_dma": some(luck % len(_DMAS), _DMAS, np.full(size, business.territory == "US")),
                "playback_method": picked(
                    (_MOBILE[device] & (luck > 800) & ~live).astype(np.int64), ("Online", "Offline")
                ),
                "quality": picked(quality, _QUALITIES),
                "event_type": same(size, "playback_segments"),
                "create_time_utc": moments(created),
                "last_update_time_utc": moments(updated),
                "is_deleted": pa.array(deleted.astype(np.int64)),
            },
        )
