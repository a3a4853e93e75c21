"""Generates subscription events of channel customers (start, renewals, cancellation) in order of arrival."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import pyarrow as pa

from airtally.demo.chance import Flags, Ints, Weighted, draws
from airtally.demo.channels import DemoBusiness
from airtally.demo.tables import joined, moments, picked, same, some, table, uuids
from airtally.kit.time import DAY_US, HOUR_US, day_start_us
from airtally.streams.subscriptions import SUBSCRIPTIONS

START, RENEWAL, CANCEL, OFF, ON = range(5)
TYPES = ("Start", "Renewal", "Cancel", "AutoRenewOff", "AutoRenewOn")
MONTH_US = 30 * DAY_US
_CHUNK = 200_000

_LEAVES = 0.16  # of those who have to renew
_WAVERS = 0.06  # switch renewal off and on again in a month
_CORRECTED = 0.01
_LATE = 0.03
_OFFERS = Weighted((55.0, 30.0, 15.0))


@dataclass(frozen=True)
class Events:
    """What happened to customers, ordered by customer and time. `customer` counts from 0, `at` in microseconds."""

    customer: Ints
    number: Ints  # of the event in the customer's life
    kind: Ints
    at: Ints
    offer: Ints

    @classmethod
    def joined(cls, parts: list[Events]) -> Events:
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__dataclass_fields__))

    def take(self, places: Ints | Flags) -> Events:
        return Events(*(getattr(self, name)[places] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Subscriptions:
    """Customers of one business who start within `days` days until `end_day`. The same fields give the same rows.

    Every customer has exactly one `Start`. `now_us` is when the data ends.
    """

    business: DemoBusiness
    seed: int = 1
    days: int = 120
    end_day: date = date(2026, 10, 31)
    customers: int = 2_000
    now_us: int | None = None

    @property
    def end_us(self) -> int:
        return self.now_us or day_start_us(self.end_day) + DAY_US

    @property
    def start_us(self) -> int:
        return day_start_us(self.end_day - timedelta(days=self.days - 1))

    @cached_property
    def events(self) -> Events:
        """All events until the end, one version each."""
        return Events.joined([self._events(first) for first in range(0, self.customers, _CHUNK)])

    def tables(self) -> Iterator[pa.Table]:
        """Versions in order of arrival, for `_CHUNK` customers at a time."""
        for first in range(0, self.customers, _CHUNK):
            yield self._versions(first, self._events(first))

    def cids(self, customers: Ints) -> pa.Array:
        """The anonymous id of each customer, the same in all their rows."""
        return uuids(customers, "customer", self.seed, self.business.id)

    def event_ids(self, events: Events) -> pa.Array:
        return joined(f"{self.business.id}-{self.seed}", events.customer, events.number)

    def _events(self, first: int) -> Events:
        count = min(_CHUNK, self.customers - first)
        chance = draws("subscriptions", self.seed, self.business.id, self.days, first)
        started = self.start_us + (chance.random(count) * (self.end_us - self.start_us)).astype(np.int64)
        whose, kind, at = _lives(chance, started, self.end_us)
        order = np.lexsort((at, whose))
        whose, kind, at = whose[order], kind[order], at[order]
        number = np.arange(len(whose)) - np.searchsorted(whose, whose)
        # A trial or a promotion is for the first month only.
        offer = np.where(kind == START, _OFFERS.draw(chance, count)[whose], 0)
        return Events(first + whose, number, kind, at, offer)

    def _versions(self, first: int, events: Events) -> pa.Table:
        chance = draws("subscription versions", self.seed, self.business.id, first)
        size = len(events.at)
        # A subscription event arrives before the playback that refers to it.
        late = (chance.random(size) < _LATE) & (events.kind > RENEWAL)
        wait = np.where(late, 12 * HOUR_US, 60_000_000)
        created = events.at + (chance.random(size) * wait).astype(np.int64)
        again = np.flatnonzero(chance.random(size) < _CORRECTED)
        later = created[again] + chance.integers(HOUR_US, 72 * HOUR_US, len(again))
        place, updated = np.concatenate([np.arange(size), again]), np.concatenate([created, later])
        order = np.argsort(updated, kind="stable")
        order = order[updated[order] < self.end_us]
        return self._table(events.take(place[order]), created[place[order]], updated[order], order >= size)

    def _table(self, events: Events, created: Ints, updated: Ints, again: Flags) -> pa.Table:
        """A later version adds the amount's currency, or deletes an event that only switched renewal on or off.

        An event that playback refers to is never deleted.
        """
        business, offers = self.business, self.business.offers
        amounts = [offer.amount for offer in offers] + [f"{offer.amount} {business.currency}" for offer in offers]
        size, tiers = len(events.at), len(business.tiers)
        tier = events.customer % (tiers + 1)
        return table(
            SUBSCRIPTIONS,
            {
                "business_id": same(size, business.id),
                "subscription_event_id": self.event_ids(events),
                "subscription_event_type": picked(events.kind, TYPES),
                "subscription_event_time_utc": moments(events.at),
                "subscription_event_time_zone": same(size, business.time_zone),
                "cid": self.cids(events.customer),
                "offer_id": picked(events.offer, [offer.id for offer in offers]),
                "offer_name": picked(events.offer, [offer.name for offer in offers]),
                "offer_type": same(size, "Subscription"),
                "offer_marketplace": same(size, business.marketplace_name),
                "offer_billing_type": picked(events.offer, [offer.billing for offer in offers]),
                "offer_payment_amount": picked(events.offer + again * len(offers), amounts),
                "benefit_id": same(size, business.benefit),
                "channel_label": same(size, business.name),
                "channel_tier_label": some(np.minimum(tier, tiers - 1), business.tiers, tier < tiers),
                "is_promo": pa.array(np.array([offer.promo for offer in offers])[events.offer]),
                "create_time_utc": moments(created),
                "last_update_time_utc": moments(updated),
                "is_deleted": pa.array((again & (events.kind >= OFF)).astype(np.int64)),
            },
        )


def _lives(chance: np.random.Generator, started: Ints, end_us: int) -> tuple[Ints, Ints, Ints]:
    """Customers, kinds and times of events, unsorted: a start, monthly renewals, and at last a cancellation."""
    who = np.arange(len(started))
    stays = chance.geometric(_LEAVES, len(who))  # months
    renewals = np.minimum(stays - 1, (end_us - 1 - started) // MONTH_US)
    renewing = np.repeat(who, renewals)
    month = np.arange(len(renewing)) - np.repeat(np.cumsum(renewals) - renewals, renewals) + 1
    ends = started + stays * MONTH_US
    switched_off = ends - chance.integers(HOUR_US, 6 * DAY_US, len(who))
    leaving = who[ends < end_us]
    wavering = who[chance.random(len(who)) < _WAVERS]
    off = started[wavering] + chance.integers(5 * DAY_US, 15 * DAY_US, len(wavering))
    on = off + chance.integers(HOUR_US, 2 * DAY_US, len(wavering))
    parts = (
        (who, START, started),
        (renewing, RENEWAL, started[renewing] + month * MONTH_US),
        (who, OFF, switched_off),
        (leaving, CANCEL, ends[leaving]),
        (wavering, OFF, off),
        (wavering, ON, on),
    )
    whose = np.concatenate([each for each, _, _ in parts])
    kind = np.concatenate([np.full(len(each), what) for each, what, _ in parts])
    at = np.concatenate([when for _, _, when in parts])
    seen = at < end_us
    return whose[seen], kind[seen], at[seen]
