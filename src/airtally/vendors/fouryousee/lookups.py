"""Reads the current players and medias from their changelogs.

docs/vendors/fouryousee.md#9.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from airtally.accounts.accounts import Account
from airtally.kit.paging import Page
from airtally.kit.quality import quality_headers
from airtally.services import Services
from airtally.sql.filters import EVERYTHING, AllOf, Contains, Equals, Filter, Names, OneOf
from airtally.streams import MEDIAS, PLAYERS, PLAYLOGS
from airtally.streams.declaration import Stream
from airtally.vendors.fouryousee import encode

#: What medias are chosen by.
ID, NAME, CATEGORY_ID = "id", "name", "categoryId"

_ONE = Page(1, 1)
_TIMES = ("last_contact_at", "last_log_at")


@dataclass(frozen=True, slots=True)
class Found:
    """Objects for the wire, how many there are in all, and how good the answer is."""

    objects: Sequence[Mapping[str, Any]]
    total: int
    data_through_us: int
    generated_at_us: int

    def headers(self, account: Account) -> dict[str, str]:
        return quality_headers(
            data_through_us=self.data_through_us, generated_at_us=self.generated_at_us, timezone=account.timezone
        )


def players(services: Services, account: Account, page: Page, where: Filter = EVERYTHING) -> Found:
    """In order of their ids."""
    rows, found = _records(services, account, PLAYERS, where, page)
    silent = [row["player_id"] for row in rows if row["last_log_at"] is None]
    last_logs = services.queries.last_arrivals(PLAYLOGS, account.slug, "player_id", silent) if silent else {}
    now = services.clock.now_us()
    objects = [
        encode.player_object(row, now_us=now, zone=account.zone, last_log_us=last_logs.get(row["player_id"]))
        for row in rows
    ]
    return replace(found, objects=objects)


def player(services: Services, account: Account, player_id: int) -> Found:
    """One object, or none."""
    return players(services, account, _ONE, Equals("player_id", player_id))


def medias(services: Services, account: Account, page: Page, query: Mapping[str, str]) -> Found:
    """The medias that meet every condition of the query string, in order of their ids."""
    conditions: list[Filter] = []
    ids, categories = encode.ids_asked(query.get(ID)), encode.ids_asked(query.get(CATEGORY_ID))
    if ids is not None:
        conditions.append(OneOf("media_id", ids))
    if categories is not None:
        conditions.append(Names("categories", "id", categories))
    if query.get(NAME):
        conditions.append(Contains("name", query[NAME], fold_case=True))
    return _medias(services, account, page, AllOf(tuple(conditions)))


def media(services: Services, account: Account, media_id: int) -> Found:
    """One object, or none."""
    return _medias(services, account, _ONE, Equals("media_id", media_id))


def categories(services: Services, account: Account, page: Page) -> Found:
    """Those of the account's medias, each once, in order of their ids; of two names the later media's."""
    known = services.queries.current(MEDIAS, account.slug)
    names: dict[int, str] = {}
    for text in known.table.column("categories").to_pylist():
        names |= {each["id"]: each["name"] for each in encode.categories_of({"categories": text})}
    listed = [{"id": each, "name": names[each]} for each in sorted(names)]
    shown = listed[page.offset : page.offset + page.limit]
    return Found(shown, len(listed), known.data_through_us, known.generated_at_us)


def _medias(services: Services, account: Account, page: Page, where: Filter) -> Found:
    rows, found = _records(services, account, MEDIAS, where, page)
    return replace(found, objects=[encode.media_object(row) for row in rows])


def _records(
    services: Services, account: Account, stream: Stream, where: Filter, page: Page
) -> tuple[list[dict[str, Any]], Found]:
    answer = services.queries.current(stream, account.slug, where=where, limit=page.limit, offset=page.offset)
    return _in_micros(answer.table).to_pylist(), Found((), answer.total, answer.data_through_us, answer.generated_at_us)


def _in_micros(table: pa.Table) -> pa.Table:
    """With its times as numbers, as the wire needs them."""
    for name in _TIMES:
        if name in table.column_names:
            place = table.column_names.index(name)
            table = table.set_column(place, name, table.column(name).cast(pa.int64()))
    return table
