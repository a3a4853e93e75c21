"""Generates ad groups: games and apps on iOS and Android, some with a secondary offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airtally.demo.chance import chooser, falling, uuid_of
from airtally.demo.tables import iso_millis
from airtally.kit.time import DAY_US

_GAMES = ("Harbour Tycoon", "Moss Kingdom", "Pixel Derby", "Nine Lanterns", "Tide Runner", "Bakery Street",
          "Orbit Golf", "Word Orchard", "Dune Racers", "Paper Dragons", "Attic Mystery", "Glacier Rush")  # fmt: skip
_AIMS = ("evergreen", "retargeting", "lookalike", "video", "playable", "brand", "reactivation", "level 10")
_PRICES = (0.35, 0.6, 0.9, 1.2, 1.8, 2.4, 3.6)
LAUNCHED = 0


@dataclass(frozen=True, slots=True)
class DemoAdGroup:
    """`weight` is its share of the events of a usual day; `price` is that of a conversion in an average country."""

    id: str
    name: str
    platform: str
    secondary: str | None
    weight: float
    price: float


def ad_groups(seed: int, wanted: int) -> list[DemoAdGroup]:
    """The groups; the first is launched within the time. Every sixth has a secondary offer, which follows it."""
    chance = chooser("ad groups", seed)
    groups: list[DemoAdGroup] = []
    weights = falling(wanted + 1, 0.7)
    for number in range(wanted):
        game = _GAMES[number % len(_GAMES)]
        aim = "launch" if number == LAUNCHED else f"{_AIMS[number // 2 % len(_AIMS)]} {number // 24 + 1}"
        name, platform = f"{game} - {aim}", "iOS" if number % 2 == 0 else "Android"
        own, second, price = uuid_of(chance), uuid_of(chance), chance.choice(_PRICES)
        weight, has_second = weights[len(groups)], number % 6 == 0 and len(groups) + 1 < wanted
        groups.append(DemoAdGroup(own, name, platform, second if has_second else None, weight, price))
        if has_second:
            groups.append(DemoAdGroup(second, f"{name}, second offer", platform, None, weight / 4, price / 2))
        if len(groups) >= wanted:
            break
    return groups


def ad_group_rows(groups: list[DemoAdGroup], made_us: int, now_us: int) -> list[dict[str, Any]]:
    """Rows of the stream `ad_groups`: every group, then a corrected name and a deleted group."""
    rows = [_row(group, made_us) for group in groups]
    if len(groups) >= 8:
        later = max(made_us, now_us - DAY_US)
        renamed, gone = groups[4], groups[-1]
        rows.append(_row(renamed, made_us, later) | {"name": f"{renamed.name} (new store page)"})
        rows.append(_row(gone, made_us, later) | {"is_deleted": 1})
    return rows


def _row(group: DemoAdGroup, made_us: int, updated_us: int | None = None) -> dict[str, Any]:
    row = {"ad_group_id": group.id, "name": group.name, "platform": group.platform}
    if group.secondary:
        row["secondary_offer_id"] = group.secondary
    return row | {
        "create_time_utc": iso_millis(made_us),
        "last_update_time_utc": iso_millis(made_us if updated_us is None else updated_us),
        "is_deleted": 0,
    }
