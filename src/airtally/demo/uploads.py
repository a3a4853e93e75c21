"""Generates when each player played and when its logs arrived: growth, opening hours, outages, offline players, retries.

The network grows: its last players are installed one after the other. A player repeats its loop from opening to closing
and uploads its log about every hour. An outage stops the player, one of them nearly the whole network; an offline player
plays on and uploads days later; an upload whose answer was lost is sent again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from airtally.demo.network import Network, Player

DAY_SECONDS = 86_400
_HOUR = 3_600
_OUTAGES = 0.02
_OFFLINE = 0.012
_REPEATS = 0.01
#: The share of the players that are there from the first day; the last ones are installed after four fifths of the days.
_FROM_THE_START = 0.7
_GROWN_AFTER = 0.8
#: The seconds of a day in which the network was down, but for one site of so many.
_NETWORK_DOWN = range(12 * _HOUR, 17 * _HOUR)
_SPARED = 7


@dataclass(frozen=True, slots=True)
class DemoDays:
    """The `days` days up to `end_day`. No upload arrives after `now` (wall clock)."""

    days: int
    end_day: date
    now: datetime | None = None

    @property
    def first_day(self) -> date:
        return self.end_day - timedelta(days=self.days - 1)

    @property
    def campaign(self) -> tuple[date, date]:
        """First and last day of the campaign: at most ten days in the middle third."""
        start = self.first_day + timedelta(days=self.days // 3)
        return start, start + timedelta(days=max(1, min(10, self.days // 3)) - 1)

    @property
    def outage_day(self) -> date:
        """The day on which nearly the whole network is down for some hours: at four fifths, on a working day if it can."""
        day = self.first_day + timedelta(days=self.days * 4 // 5)
        return max(self.first_day, day - timedelta(days=max(0, day.weekday() - 4)))

    def installed(self, place: int, players: int) -> date:
        """The first day of the player that is the `place`th of so many."""
        share = (place / players - _FROM_THE_START) / (1 - _FROM_THE_START)
        return self.first_day + timedelta(days=int(max(0.0, share) * _GROWN_AFTER * self.days))

    def each_day(self) -> Iterator[date]:
        return (self.first_day + timedelta(days=number) for number in range(self.days))


@dataclass(frozen=True, slots=True)
class Upload:
    """Laps of one player's loop on one day, sent together. Times are seconds of the day; `arrives` is since 1970."""

    player: Player
    day: date
    loop: tuple[str, bool, bool]
    slots: int
    opens: int
    closes: int
    lap_seconds: int
    first_lap: int
    laps: int
    arrives: int
    repeat: bool = False

    @property
    def rows(self) -> int:
        return self.laps * self.slots


def uploads(seed: int, network: Network, span: DemoDays, *, stretch: float = 1.0, repeats: bool = True) -> list[Upload]:
    """All uploads in order of arrival. `stretch` multiplies the length of a lap, so that a day has fewer plays."""
    found: list[Upload] = []
    for place, player in enumerate(network.players):
        offline_until, installed = 0, span.installed(place, len(network.players))
        for day in span.each_day():
            if day < installed:
                continue
            chance = random.Random(f"{seed}/{player.player_id}/{day}")  # noqa: S311 (sample data, no secret)
            if chance.random() < _OFFLINE:
                offline_until = _midnight(day) + chance.randrange(_HOUR * 8, DAY_SECONDS * 5)
            whole = _whole_day(chance, network, span, player, day, stretch=stretch)
            for part in _hourly_uploads(whole, _outage(chance, span, player, day, seed)) if whole else ():
                found += _sent(chance, part, offline_until, repeats=repeats)
    if span.now is not None:
        now = int(span.now.replace(tzinfo=UTC).timestamp())
        found = [upload for upload in found if upload.arrives <= now]
    return sorted(found, key=lambda up: (up.arrives, up.player.player_id, up.day, up.first_lap, up.repeat))


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())


def _whole_day(
    chance: random.Random, network: Network, span: DemoDays, player: Player, day: date, *, stretch: float
) -> Upload | None:
    """All plays of a day as one upload; None if the site is closed."""
    hours = player.kind.hours[day.weekday()]
    if hours is None:
        return None
    first, last = span.campaign
    loop = (player.kind.name, day.weekday() >= 5, first <= day <= last)
    medias = network.loops[loop]
    opens = min(hours[0] * 60 + chance.randrange(120), DAY_SECONDS - 1)
    open_seconds = hours[1] * 60 - opens
    lap = min(round(sum(media.seconds for media in medias) * stretch), open_seconds)
    return Upload(player, day, loop, len(medias), opens, hours[1] * 60, lap, 0, open_seconds // lap, _midnight(day))


def _outage(chance: random.Random, span: DemoDays, player: Player, day: date, seed: int) -> range:
    """The seconds of the day in which the player, its whole site or nearly every site is down."""
    if day == span.outage_day and player.group_id % _SPARED:
        return _NETWORK_DOWN
    site = random.Random(f"{seed}/site {player.group_id}/{day}")  # noqa: S311 (sample data, no secret)
    for source in (chance, site):
        if source.random() < _OUTAGES:
            start = source.randrange(DAY_SECONDS)
            return range(start, start + source.randrange(1200, 8 * _HOUR))
    return range(0)


def _hourly_uploads(whole: Upload, outage: range) -> Iterator[Upload]:
    """The day cut into uploads of about an hour, without the laps that begin in the outage."""
    step = max(1, _HOUR // whole.lap_seconds)
    for first in range(0, whole.laps, step):
        laps = [
            lap
            for lap in range(first, min(first + step, whole.laps))
            if whole.opens + lap * whole.lap_seconds not in outage
        ]
        # An outage within an upload ends it; the later laps of this hour are lost.
        end = next((at for at, lap in enumerate(laps) if lap != laps[0] + at), len(laps))
        if end:
            yield replace(whole, first_lap=laps[0], laps=end)


def _sent(chance: random.Random, part: Upload, offline_until: int, *, repeats: bool) -> Iterator[Upload]:
    played = part.arrives + part.opens + (part.first_lap + part.laps) * part.lap_seconds
    sent = replace(part, arrives=max(played, offline_until) + chance.randrange(5, 300))
    yield sent
    if chance.random() < _REPEATS and repeats:
        yield replace(sent, arrives=sent.arrives + chance.randrange(30, 900), repeat=True)
