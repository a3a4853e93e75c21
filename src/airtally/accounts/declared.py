"""Which events, attributes and tags an account's applications have: declared by a call, or met in rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, and_, update

from airtally.accounts.accounts import Account
from airtally.accounts.declarations import (
    EventKey,
    EventType,
    MetTag,
    Tag,
    ValueType,
    chunks,
    read_events,
    read_tags,
)
from airtally.database.store import MetadataStore
from airtally.database.tables import event_attributes, event_types, tags
from airtally.kit.cache import StoreCache
from airtally.kit.clock import Clock
from airtally.kit.errors import Conflict

__all__ = ["EventKey", "EventType", "EventTypeRegistry", "MetTag", "Tag", "ValueType"]

#: A change to what is remembered here, made in another process, is seen after at most so long.
TTL_SECONDS = 1.0
_REMEMBERED = 10_000
_NONE: Mapping[str, ValueType] = MappingProxyType({})


class EventTypeRegistry:
    """Thread-safe. What is known is remembered for a second; a name that is not known is always asked for.

    Declarations only grow, but for the type and scope of what rows met, which a call may set once.
    """

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._events: StoreCache[tuple[int, EventKey], EventType] = StoreCache(_REMEMBERED, TTL_SECONDS)
        self._tags: StoreCache[tuple[int, str], Tag] = StoreCache(_REMEMBERED, TTL_SECONDS)

    def event(
        self, account: Account, application: str, name: str, attributes: Collection[str] = ()
    ) -> EventType | None:
        """`attributes`: those that the caller has values for; asked for again where one is not known."""
        key = (application, name)
        return self._known_events(account, {key: dict.fromkeys(attributes)}).get(key)

    def events(self, account: Account, keys: Collection[EventKey]) -> dict[EventKey, EventType]:
        """Those of the events that are declared."""
        return self._known_events(account, dict.fromkeys(keys, ()))

    def tag(self, account: Account, name: str) -> Tag | None:
        return self.tags(account, [name]).get(name)

    def tags(self, account: Account, names: Collection[str]) -> dict[str, Tag]:
        """Those of the names that are declared."""
        known = {name: tag for name in names if (tag := self._tags.get((account.id, name)))}
        if missing := [name for name in names if name not in known]:
            generation = self._tags.generation
            with self._store.read() as connection:
                read = read_tags(connection, account, missing)
            self._tags.put_read({(account.id, name): tag for name, tag in read.items()}, generation)
            known |= read
        return known

    def create_event(
        self,
        account: Account,
        application: str,
        name: str,
        *,
        description: str | None = None,
        attributes: Mapping[str, ValueType] = _NONE,
        track_revenue: bool = False,
    ) -> EventType:
        """Attributes that rows met before are kept; one that is given here has its type from here.

        Raises Conflict if a call declared the event already.
        """
        values = {"description": description, "track_revenue": track_revenue, "met": False}
        own = {"account_id": account.id, "application": application, "name": name}
        with self._store.begin() as connection:
            event_id = self._declare(connection, event_types, own, values)
            if event_id is None:
                raise Conflict(f"There is an event {name!r} already")
            self._set_attributes(connection, event_id, attributes)
            event = read_events(connection, account, [(application, name)])[application, name]
        self._events.put_written({(account.id, (application, name)): event})
        return event

    def add_tag(
        self,
        account: Account,
        name: str,
        type: ValueType,  # noqa: A002 (its name on the wire)
        *,
        application_specific: bool | None = None,
        user_specific: bool = False,
    ) -> Tag:
        """Without `application_specific` a tag that rows met keeps its scope, and a new one is shared.

        Raises Conflict if a call declared the tag already.
        """
        values: dict[str, Any] = {"type": int(type), "user_specific": user_specific, "met": False}
        if application_specific is not None:
            values["application_specific"] = application_specific
        with self._store.begin() as connection:
            own = {"account_id": account.id, "name": name}
            if self._declare(connection, tags, own, values, {"application_specific": False}) is None:
                raise Conflict(f"There is a tag {name!r} already")
            tag = read_tags(connection, account, [name])[name]
        self._tags.put_written({(account.id, name): tag})
        return tag

    def meet_events(
        self, account: Account, met: Mapping[EventKey, Mapping[str, ValueType]]
    ) -> dict[EventKey, EventType]:
        """Declare what rows name and nobody declared; how all of them are declared then."""
        known = self._known_events(account, met)
        new = sorted(key for key in met if not _covers(known.get(key), met[key]))
        if not new:
            return known
        with self._store.begin() as connection:
            self._add_events(connection, account, [key for key in new if key not in known])
            ids = {key: event.id for key, event in read_events(connection, account, new).items()}
            self._add_attributes(connection, {ids[key]: met[key] for key in new})
            read = read_events(connection, account, new)
        self._events.put_written({(account.id, key): event for key, event in read.items()})
        return known | read

    def meet_tags(self, account: Account, met: Mapping[str, MetTag]) -> dict[str, Tag]:
        """The same for tags."""
        known = self.tags(account, met)
        new = sorted(name for name in met if name not in known)
        if not new:
            return known
        always = {"account_id": account.id, "user_specific": False, "met": True, "created_at": self._clock.now_us()}
        rows = [
            always | {"name": name, "type": int(met[name].type), "application_specific": met[name].application_specific}
            for name in new
        ]
        with self._store.begin() as connection:
            self._insert_new(connection, tags, rows)
            read = read_tags(connection, account, new)
        self._tags.put_written({(account.id, name): tag for name, tag in read.items()})
        return known | read

    def _known_events(self, account: Account, wanted: Mapping[EventKey, Collection[str]]) -> dict[EventKey, EventType]:
        """Those that are declared; asked for again where not all wanted attributes are known."""
        known = {key: event for key in wanted if (event := self._events.get((account.id, key)))}
        if missing := [key for key in wanted if not _covers(known.get(key), wanted[key])]:
            generation = self._events.generation
            with self._store.read() as connection:
                read = read_events(connection, account, missing)
            self._events.put_read({(account.id, key): event for key, event in read.items()}, generation)
            known |= read
        return known

    def _declare(
        self,
        connection: Connection,
        table: Any,
        own: Mapping[str, Any],
        values: Mapping[str, Any],
        defaults: Mapping[str, Any] = MappingProxyType({}),
    ) -> int | None:
        """Add it, or upgrade what only rows met; the id, None where a call declared it."""
        row = {**defaults, **own, **values, "created_at": self._clock.now_us()}
        insert = self._store.upserts.insert(table).values(row).on_conflict_do_nothing().returning(table.c.id)
        added: int | None = connection.execute(insert).scalar_one_or_none()
        if added is not None:
            return added
        met = and_(*(table.c[name] == value for name, value in own.items()), table.c.met)
        upgraded: int | None = connection.execute(
            update(table).where(met).values(**values).returning(table.c.id)
        ).scalar_one_or_none()
        return upgraded

    def _add_events(self, connection: Connection, account: Account, keys: list[EventKey]) -> None:
        always = {"account_id": account.id, "track_revenue": False, "met": True, "created_at": self._clock.now_us()}
        self._insert_new(
            connection, event_types, [always | {"application": application, "name": name} for application, name in keys]
        )

    def _set_attributes(self, connection: Connection, event_id: int, wanted: Mapping[str, ValueType]) -> None:
        insert = self._store.upserts.insert(event_attributes)
        insert = insert.on_conflict_do_update(
            index_elements=["event_type_id", "name"], set_={"type": insert.excluded.type}
        )
        for part in chunks(_attribute_rows({event_id: wanted})):
            connection.execute(insert, part)

    def _add_attributes(self, connection: Connection, wanted: Mapping[int, Mapping[str, ValueType]]) -> None:
        self._insert_new(connection, event_attributes, _attribute_rows(wanted))

    def _insert_new(self, connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
        """Rows come in one order in every process, so that none waits for each other."""
        for part in chunks(rows):
            connection.execute(self._store.upserts.insert(table).values(part).on_conflict_do_nothing())


def _covers(event: EventType | None, attributes: Collection[str]) -> bool:
    return event is not None and all(name in event.attributes for name in attributes)


def _attribute_rows(wanted: Mapping[int, Mapping[str, ValueType]]) -> list[dict[str, Any]]:
    return [
        {"event_type_id": event_id, "name": name, "type": int(attributes[name])}
        for event_id, attributes in sorted(wanted.items())
        for name in sorted(attributes)
    ]
