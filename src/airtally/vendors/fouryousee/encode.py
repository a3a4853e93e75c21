"""Writes the vendor's objects and listings from the stored records.

docs/vendors/fouryousee.md#3, #4, #9: keys and their order are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from airtally.accounts.users import User
from airtally.kit.paging import Page, SortKey, sort_keys, whole_number
from airtally.kit.time import SECOND_US, to_datetime
from airtally.vendors.fouryousee.choices import CHOICES

#: Parameters of listings.
PAGE, LIMIT, SORT = "page", "limit", "sort"

_MINUTE_US = 60 * SECOND_US

#: Most minutes since the last contact, id, name and time of each status; the last is for no contact ever.
STATUSES = (
    (10, 1, "Online", 10),
    (20, 2, "Alert", 20),
    (30, 3, "Offline", 30),
    (1440, 4, "Assistance needed", 1440),
    (None, 5, "Local assist needed", 9999999),
)
NEVER = {"id": 6, "name": "Never accessed", "time": 0}


class Listing(msgspec.Struct, frozen=True, rename="camel"):
    """The envelope of every listing."""

    results: Sequence[Any]
    total: int
    current_page: int
    total_pages: int


def page_asked(query: Mapping[str, str]) -> Page:
    """The page and limit of the query string; a value that cannot be read counts as absent."""
    number = whole_number(query.get(PAGE), default=1, largest=10**9)
    limit = whole_number(query.get(LIMIT), default=CHOICES.default_limit, largest=CHOICES.largest_limit)
    return Page(number, limit)


def sort_asked(query: Mapping[str, str]) -> tuple[SortKey, ...]:
    """Of reports, by the names of their columns."""
    keys = sort_keys(query.get(SORT), set(CHOICES.sortable))
    return tuple(SortKey(CHOICES.sortable[key.field], key.descending) for key in keys)


def ids_asked(text: str | None) -> tuple[int, ...] | None:
    """`1,2` as numbers, what is no number left out; None where nothing is asked for."""
    if text is None or not text.strip():
        return None
    parts = (part.strip() for part in text.split(","))
    return tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 19)


def listing(results: Sequence[Any], total: int, page: Page) -> Listing:
    return Listing(results, total, page.number, page.pages_of(total))


def user_object(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "username": user.username,
        "email": user.email,
        "group": {"id": user.group_id, "name": user.group_name},
    }


def player_object(player: Mapping[str, Any], *, now_us: int, zone: ZoneInfo, last_log_us: int | None) -> dict[str, Any]:
    """`player` is a record of the stream; `last_log_us` counts where the record has no `last_log_at`."""
    contact_us = player["last_contact_at"]
    minutes = None if contact_us is None else max(now_us - contact_us, 0) // _MINUTE_US
    log_us = player["last_log_at"] if player["last_log_at"] is not None else last_log_us
    return {
        "id": player["player_id"],
        "name": player["name"] or "",
        "description": player["description"] or "",
        "platform": player["platform"] or "",
        "lastContactInMinutes": minutes,
        "group": _group(player),
        "playerStatus": _status(minutes),
        "playlists": dict.fromkeys("0123456"),
        "audios": {"0": None},
        "lastLogReceived": None if log_us is None else _wall_clock(log_us, zone),
    }


def media_object(media: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": media["media_id"],
        "name": media["name"] or "",
        "description": media["description"] or "",
        "file": media["file"] or "",
        "durationInSeconds": media["duration_seconds"] or 0,
        "categories": [{"id": each["id"], "name": each["name"]} for each in categories_of(media)],
        "schedule": {"startDate": None, "endDate": None, "times": []},
    }


def categories_of(media: Mapping[str, Any]) -> list[dict[str, Any]]:
    text = media["categories"]
    return [] if text is None else msgspec.json.decode(text, type=list[dict[str, Any]])


def _group(player: Mapping[str, Any]) -> dict[str, Any]:
    if player["group_id"] is None and player["group_name"] is None:
        group_id, name = CHOICES.no_group
        return {"id": group_id, "name": name}
    return {"id": player["group_id"] or 0, "name": player["group_name"] or ""}


def _status(minutes: int | None) -> dict[str, Any]:
    if minutes is None:
        return NEVER
    for most, status_id, name, time in STATUSES:
        if most is None or minutes <= most:
            return {"id": status_id, "name": name, "time": time}
    raise AssertionError("the last status has no limit")


def _wall_clock(us: int, zone: ZoneInfo) -> str:
    return to_datetime(us).astimezone(zone).replace(tzinfo=None).isoformat(" ", "seconds")
