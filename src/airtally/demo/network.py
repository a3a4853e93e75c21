"""Generates the sites, players, medias and loops of a network, and its rows of the streams `players` and `medias`."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import count
from typing import Any

from airtally.demo.venues import (
    BRAZIL,
    CAMPAIGN,
    CAMPAIGN_CATEGORY,
    CONTENT,
    PLATFORMS,
    SITE_KINDS,
    SiteKind,
    VenuePlace,
)
from airtally.kit.time import iso_seconds

_MINUTE_US = 60_000_000
_FIRST_MEDIA = 41
_FIRST_CATEGORY = 10
_LOOP_MEDIAS = 12


@dataclass(frozen=True, slots=True)
class Media:
    media_id: int
    name: str
    seconds: int
    category_id: int
    category: str


@dataclass(frozen=True, slots=True)
class Player:
    """`group` is the player's site; `ip` the public address of that site."""

    player_id: int
    name: str
    kind: SiteKind
    group_id: int
    group: str
    platform: str
    ip: str


@dataclass(frozen=True, slots=True)
class Network:
    """`loops` has the medias in playing order by (kind of site, weekend or not, campaign or not)."""

    players: tuple[Player, ...]
    medias: tuple[Media, ...]
    loops: dict[tuple[str, bool, bool], tuple[Media, ...]]

    def player_rows(self, now_us: int) -> list[dict[str, Any]]:
        """Rows of the stream `players`: most had contact minutes ago, some hours or days ago, the last one never."""
        return [self._player_row(index, player, now_us) for index, player in enumerate(self.players)]

    def _player_row(self, index: int, player: Player, now_us: int) -> dict[str, Any]:
        row: dict[str, Any] = {
            "player_id": player.player_id,
            "name": player.name,
            "description": f"{player.kind.name}, {player.platform}",
            "platform": player.platform,
            "group_id": player.group_id,
            "group_name": player.group,
        }
        if index and index == len(self.players) - 1:
            return row
        silent = {7: 15, 11: 25, 13: 300, 17: 3000}.get(index % 20, index % 9)
        row["last_contact_at"] = iso_seconds(now_us - silent * _MINUTE_US)
        row["last_log_at"] = iso_seconds(now_us - (silent + 30) * _MINUTE_US)
        return row

    def media_rows(self) -> list[dict[str, Any]]:
        """Rows of the stream `medias`."""
        return [
            {
                "media_id": media.media_id,
                "name": media.name,
                "description": f"{media.category}: {media.name}",
                "file": f"media_{media.media_id}.mp4",
                "duration_seconds": media.seconds,
                "categories": [{"id": media.category_id, "name": media.category}],
            }
            for media in self.medias
        ]


def build(seed: int, players: int, place: VenuePlace = BRAZIL) -> Network:
    """Generate a network. The same arguments give the same network."""
    chance = random.Random(f"network {seed}")  # noqa: S311 (sample data, no secret)
    medias = _medias()
    return Network(_players(chance, players, place), medias, _loops(chance, medias))


def _medias() -> tuple[Media, ...]:
    numbers = count(_FIRST_MEDIA)
    categories = (*CONTENT, (CAMPAIGN_CATEGORY, CAMPAIGN))
    return tuple(
        Media(next(numbers), name, seconds, category_id, category)
        for category_id, (category, items) in enumerate(categories, _FIRST_CATEGORY)
        for name, seconds in items
    )


def _players(chance: random.Random, wanted: int, place: VenuePlace) -> tuple[Player, ...]:
    players: list[Player] = []
    for group_id in count(1):
        if len(players) >= wanted:
            break
        players += _site(chance, group_id, len(players) + 1, place)
    return tuple(players[:wanted])


def _site(chance: random.Random, group_id: int, first_player: int, place: VenuePlace) -> list[Player]:
    kind = SITE_KINDS[(group_id - 1) % len(SITE_KINDS)]
    site = f"{kind.name} {chance.choice(place.chains)} {chance.choice(place.towns)}"
    spots = kind.spots[: chance.randint(1, len(kind.spots))]
    address = f"198.51.{100 + group_id // 250 % 100}.{group_id % 250 + 1}"
    return [
        Player(player_id, f"{site} - {spot}", kind, group_id, site, chance.choice(PLATFORMS), address)
        for player_id, spot in enumerate(spots, first_player)
    ]


def _loops(chance: random.Random, medias: tuple[Media, ...]) -> dict[tuple[str, bool, bool], tuple[Media, ...]]:
    regular = [media for media in medias if media.category != CAMPAIGN_CATEGORY]
    campaign = [media for media in medias if media.category == CAMPAIGN_CATEGORY]
    loops = {}
    for kind in SITE_KINDS:
        for weekend in (False, True):
            usual = chance.sample(regular, _LOOP_MEDIAS)
            loops[kind.name, weekend, False] = tuple(usual)
            loops[kind.name, weekend, True] = tuple(_with_campaign(usual, campaign) if kind.in_campaign else usual)
    return loops


def _with_campaign(usual: list[Media], campaign: list[Media]) -> list[Media]:
    """Every fourth place of the loop goes to the campaign."""
    return [campaign[place // 4 % len(campaign)] if place % 4 == 3 else media for place, media in enumerate(usual)]
