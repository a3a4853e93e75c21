"""The players of an account with their last logs, `GET /v1/players`, over ten million playlogs."""

from __future__ import annotations

from datetime import date
from typing import Any

from airtally.demo.network import build
from airtally.demo.playlogs import Playlogs
from airtally.kit.time import DAY_US, day_start_us
from benchmarks.harness import Place
from benchmarks.kept import Source

_SEED = 1


def players_of(place: Place) -> int:
    return place.size(5_000, 150)


def network(place: Place) -> Source:
    """A month of a network's playlogs; no player says itself when its last log came."""
    rows, days = place.size(10_000_000, 20_000), place.size(30, 5)

    def declared(end_day: date) -> dict[str, list[dict[str, Any]]]:
        found = build(_SEED, players_of(place)).player_rows(day_start_us(end_day) + DAY_US)
        return {"players": [{name: row[name] for name in row if name != "last_log_at"} for row in found]}

    return Source(
        "playlogs",
        "playlogs",
        rows,
        before=declared,
        tables=lambda end_day: Playlogs(_SEED, days, end_day, players_of(place), rows).tables(),
    )
