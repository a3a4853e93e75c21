"""Generates streaming channels and their titles, which the rows of the dataset streams refer to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airtally.demo.chance import chooser
from airtally.demo.tables import iso_millis
from airtally.kit.time import DAY_US

_SERIES = ("Harbour Lights", "The Tide Table", "Nine Lanterns", "Glass Orchard", "Second Platform", "Paper Dragons")
_MOVIES = ("The Long Ferry", "Winter Bakery", "A Map of Salt", "Night Train North", "Moss", "The Attic Key")
_EPISODES = ("Pilot", "The Letter", "Low Water", "Strangers", "The Bridge", "Snow", "Debts", "Homecoming")
_WITHDRAWN = 2  # the last titles of a business are withdrawn, nobody has played them


@dataclass(frozen=True, slots=True)
class Offer:
    """`billing` HO is a paid offer, FT a free trial."""

    id: str
    name: str
    billing: str
    amount: str
    promo: int


@dataclass(frozen=True, slots=True)
class DemoBusiness:
    """A channel in one marketplace. `id` is the `business_id` of rows."""

    id: str
    name: str
    territory: str
    marketplace: int
    marketplace_name: str
    time_zone: str
    tiers: tuple[str, ...]
    prices: tuple[str, str]
    currency: str

    @property
    def benefit(self) -> str:
        return f"{self.id}-benefit"

    @property
    def offers(self) -> tuple[Offer, ...]:
        """A paid offer, a trial and a promotion."""
        usual, cheap = self.prices
        return (
            Offer(f"{self.id}-monthly", f"{self.name} monthly", "HO", usual, 0),
            Offer(f"{self.id}-trial", f"{self.name} 7 days free", "FT", "0.00", 0),
            Offer(f"{self.id}-spring", f"{self.name} spring offer", "HO", cheap, 1),
        )


ACME_MAX = DemoBusiness(
    "acmemax-us",
    "Acme Max",
    "US",
    1,
    "US",
    "America/New_York",
    ("Acme Max Basic", "Acme Max Plus"),
    ("9.99", "4.99"),
    "USD",
)
ACME_KIDS = DemoBusiness(
    "acmekids-de", "Acme Kids", "DE", 4, "DE", "Europe/Berlin", ("Acme Kids",), ("4.99", "2.49"), "EUR"
)
HIMAL_CINE = DemoBusiness(
    "himalcine-in", "Himal Cine", "IN", 44571, "IN", "Asia/Kolkata", ("Himal Cine",), ("149", "99"), "INR"
)


@dataclass(frozen=True, slots=True)
class Title:
    """A movie, an episode or a live channel. `minutes` None: it never ends."""

    id: str
    title: str
    season: int | None
    episode: int | None
    episode_name: str | None
    minutes: int | None
    live: str | None
    quality: str


@dataclass(frozen=True)
class Catalog:
    """The titles of one business. The same fields give the same titles."""

    business: DemoBusiness
    seed: int = 1
    seasons: int = 3

    @cached_property
    def titles(self) -> list[Title]:
        """All titles, the most watched first, the withdrawn ones last."""
        chance = chooser("catalog", self.seed, self.business.id)
        found = [*self._live(), *self._episodes(), *self._movies()]
        chance.shuffle(found)
        return found

    @property
    def played(self) -> list[Title]:
        return self.titles[:-_WITHDRAWN]

    def rows(self, made_us: int, now_us: int) -> list[dict[str, Any]]:
        """Rows of the stream `catalog`: all titles, then one renamed title and the deletions of the withdrawn ones."""
        rows = [self._row(title, made_us) for title in self.titles]
        later = max(made_us, now_us - DAY_US)
        rows.append(self._row(self.titles[0], made_us, later) | {"title": f"{self.titles[0].title} (remastered)"})
        rows += [self._row(title, made_us, later) | {"is_deleted": 1} for title in self.titles[-_WITHDRAWN:]]
        return rows

    def _episodes(self) -> list[Title]:
        chance = chooser("episodes", self.seed, self.business.id)
        return [
            Title(
                f"{self.business.id}-s{number}-{season}-{episode}",
                series,
                season,
                episode,
                None if episode == 8 else _EPISODES[episode - 1],
                chance.randint(22, 58),
                None,
                "HD",
            )
            for number, series in enumerate(_SERIES, 1)
            for season in range(1, self.seasons + 1)
            for episode in range(1, 9)
        ]

    def _movies(self) -> list[Title]:
        chance = chooser("movies", self.seed, self.business.id)
        return [
            Title(
                f"{self.business.id}-m{n}",
                name,
                None,
                None,
                None,
                chance.randint(82, 141),
                None,
                "HD" if n % 3 else "SD",
            )
            for n, name in enumerate(_MOVIES, 1)
        ]

    def _live(self) -> list[Title]:
        name = f"{self.business.name} Live"
        return [Title(f"{self.business.id}-live", name, None, None, None, None, name, "HD")]

    def _row(self, title: Title, made_us: int, updated_us: int | None = None) -> dict[str, Any]:
        return {
            "business_id": self.business.id,
            "id": title.id,
            "marketplace_id": self.business.marketplace,
            "benefit_id": self.business.benefit,
            "title": title.title,
            "vendor_sku": f"SKU-{title.id}".upper(),
            "season": title.season,
            "episode": title.episode,
            "episode_name": title.episode_name,
            "runtime_minutes": title.minutes,
            "live_linear_channel_name": title.live,
            "content_type": "Series" if title.season else "Movie",
            "content_quality": title.quality,
            "content_group": "3P_SUBS",
            "create_time_utc": iso_millis(made_us),
            "last_update_time_utc": iso_millis(made_us if updated_us is None else updated_us),
            "is_deleted": 0,
        }
