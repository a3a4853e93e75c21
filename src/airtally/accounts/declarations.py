"""What a declared event or tag is, and how it is read from the metadata store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, select, tuple_

from airtally.accounts.accounts import Account
from airtally.database.rows import values_of
from airtally.database.tables import event_attributes, event_types, tags

_CHUNK = 200


class ValueType(IntEnum):
    """Types of attributes and tags, by their numbers on Pushwoosh's wire."""

    INTEGER = 1
    STRING = 2
    LIST = 3
    DATE = 4
    BOOLEAN = 5
    PRICE = 6
    VERSION = 7


@dataclass(frozen=True, slots=True)
class EventType:
    """`met`: only rows have named it so far, no call declared it."""

    id: int
    application: str
    name: str
    description: str | None
    track_revenue: bool
    met: bool
    attributes: Mapping[str, ValueType]


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag that is not `application_specific` has one value for a device in all applications."""

    id: int
    name: str
    type: ValueType
    application_specific: bool
    user_specific: bool
    met: bool


@dataclass(frozen=True, slots=True)
class MetTag:
    """What the first row with a tag says of it."""

    type: ValueType
    application_specific: bool


#: An event by application and name.
EventKey = tuple[str, str]


def read_events(connection: Connection, account: Account, keys: list[EventKey]) -> dict[EventKey, EventType]:
    e, a = event_types.c, event_attributes.c
    columns = (e.id, e.application, e.name, e.description, e.track_revenue, e.met)
    found: dict[EventKey, EventType] = {}
    attributes: dict[int, dict[str, ValueType]] = {}
    for part in chunks([key for key in keys if "\0" not in "".join(key)]):
        query = select(*columns).where(e.account_id == account.id, tuple_(e.application, e.name).in_(part))
        for row in connection.execute(query):
            own = attributes.setdefault(row.id, {})
            found[row.application, row.name] = EventType(**values_of(row, columns), attributes=MappingProxyType(own))
    for ids in chunks(list(attributes)):
        own_attributes = select(a.event_type_id, a.name, a.type).where(a.event_type_id.in_(ids))
        for event_id, name, number in connection.execute(own_attributes):
            attributes[event_id][name] = ValueType(number)
    return found


def read_tags(connection: Connection, account: Account, names: list[str]) -> dict[str, Tag]:
    t = tags.c
    columns = (t.id, t.name, t.type, t.application_specific, t.user_specific, t.met)
    found: dict[str, Tag] = {}
    for part in chunks([name for name in names if "\0" not in name]):
        for row in connection.execute(select(*columns).where(t.account_id == account.id, t.name.in_(part))):
            found[row.name] = Tag(**values_of(row, columns) | {"type": ValueType(row.type)})
    return found


def chunks(items: list[Any]) -> Iterable[list[Any]]:
    return (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
