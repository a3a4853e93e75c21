"""Registers devices and sets their tags; each call is on disk as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.declared import EventTypeRegistry, Tag, ValueType
from airtally.devices.values import Value, fitted
from airtally.ingest.edits import Edits, Row
from airtally.ingest.row_values import RowValues
from airtally.query.service import Queries
from airtally.sql.filters import AllOf, Equals
from airtally.streams.device_tags import DEVICE_TAGS
from airtally.streams.devices import DEVICES

UNKNOWN_TAG = "Tag not found"
UNFIT_VALUE = "Invalid value"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A tag that was not set, and why."""

    tag: str
    reason: str


class Devices:
    """Changes and looks up devices. Calls block.

    Thread-safe: it has no state of its own, and `Edits` locks the device's key, so that changes of one device in this
    process come one after the other.
    """

    def __init__(self, edits: Edits, queries: Queries, declared: EventTypeRegistry) -> None:
        self._edits = edits
        self._queries = queries
        self._declared = declared

    def register(
        self, account: Account, application: str, hwid: str, fields: RowValues, tags: Mapping[str, Any] | None = None
    ) -> list[Skipped]:
        """Register or update a device: `fields` replace their columns, the others stay. For `tags` see `set_tags`."""
        wanted = _WantedTags(application, hwid, tags or {}, self._declared.tags(account, tags or ()))

        def change(last: Mapping[str, list[Row]]) -> Mapping[str, list[RowValues]]:
            device = _live(last[DEVICES.name], application) or {}
            return {
                DEVICES.name: [device | dict(fields) | {"application": application, "hwid": hwid}],
                DEVICE_TAGS.name: wanted.changes(last.get(DEVICE_TAGS.name, ())),
            }

        self._edits.run(account, (DEVICES, DEVICE_TAGS) if tags else (DEVICES,), ("hwid", hwid), change)
        return wanted.skipped

    def find(self, account: Account, application: str, hwid: str) -> Row | None:
        """The device's registration in an application."""
        return _live(self._queries.last_by(DEVICES, account.slug, "hwid", hwid), application)

    def set_tags(
        self, account: Account, application: str, hwid: str, tags: Mapping[str, Any], *, user_id: str | None = None
    ) -> list[Skipped]:
        """Set tags; returns those that could not be set.

        Null removes a tag, `{"operation": "append" | "remove", "value": […]}` changes a list. A device that is unknown
        is registered, with `user_id`.
        """
        wanted = _WantedTags(application, hwid, tags, self._declared.tags(account, tags))

        def change(last: Mapping[str, list[Row]]) -> Mapping[str, list[RowValues]]:
            known = _live(last[DEVICES.name], application) is not None
            new = {"application": application, "hwid": hwid, "user_id": user_id}
            return {
                DEVICES.name: [] if known else [new],
                DEVICE_TAGS.name: wanted.changes(last[DEVICE_TAGS.name]),
            }

        self._edits.run(account, (DEVICES, DEVICE_TAGS), ("hwid", hwid), change)
        return wanted.skipped

    def unregister(self, account: Account, application: str, hwid: str) -> None:
        """Remove the push token, so that the device gets no more notices; all else stays."""

        def change(last: Mapping[str, list[Row]]) -> Mapping[str, list[RowValues]]:
            device = _live(last[DEVICES.name], application)
            return {DEVICES.name: [] if device is None else [device | {"push_token": None}]}

        self._edits.run(account, (DEVICES,), ("hwid", hwid), change)

    def delete(self, account: Account, application: str, hwid: str) -> None:
        """Delete a device and its tags; shared tags stay while it is registered in another application."""

        def change(last: Mapping[str, list[Row]]) -> Mapping[str, list[RowValues]]:
            device = _live(last[DEVICES.name], application)
            elsewhere = any(not row["is_deleted"] and row["application"] != application for row in last[DEVICES.name])
            tags = [
                row
                for row in last[DEVICE_TAGS.name]
                if not row["is_deleted"]
                and (row["application"] == application or (row["application"] is None and not elsewhere))
            ]
            return {
                DEVICES.name: [] if device is None else [device | {"is_deleted": 1}],
                DEVICE_TAGS.name: [_removed_tag(row["application"], hwid, row["tag"]) for row in tags],
            }

        self._edits.run(account, (DEVICES, DEVICE_TAGS), ("hwid", hwid), change)

    def tags(self, account: Account, application: str, hwid: str) -> dict[str, Value]:
        """The device's tags by name; shared ones only while it is registered in the application."""
        rows = self._queries.last_by(DEVICE_TAGS, account.slug, "hwid", hwid)
        rows = [row for row in rows if _is_set(row) and row["application"] in {application, None}]
        if any(row["application"] is None for row in rows) and not self._registered(account, application, hwid):
            rows = [row for row in rows if row["application"] is not None]
        return {row["tag"]: msgspec.json.decode(row["value"]) for row in sorted(rows, key=lambda row: row["tag"])}

    def of_user(self, account: Account, application: str, user_id: str) -> list[str]:
        """The hwids of a user's devices in an application, sorted as text."""
        where = AllOf((Equals("application", application), Equals("user_id", user_id)))
        hwids: list[str] = self._queries.current(DEVICES, account.slug, where=where).table.column("hwid").to_pylist()
        return sorted(hwids)

    def _registered(self, account: Account, application: str, hwid: str) -> bool:
        return self.find(account, application, hwid) is not None


class _WantedTags:
    """Tags to set on one device of one application."""

    def __init__(self, application: str, hwid: str, tags: Mapping[str, Any], declared: Mapping[str, Tag]) -> None:
        self._application, self._hwid = application, hwid
        self._tags, self._declared = tags, declared
        self.skipped: list[Skipped] = []

    def changes(self, last: Iterable[Row]) -> list[RowValues]:
        """The rows that set the tags, given the device's current ones. Fills `skipped`."""
        held = {(row["application"], row["tag"]): row for row in last if not row["is_deleted"]}
        self.skipped = []
        rows = []
        for name, sent in self._tags.items():
            tag = self._declared.get(name)
            if tag is None:
                self.skipped.append(Skipped(name, UNKNOWN_TAG))
                continue
            scope = self._application if tag.application_specific else None
            before = held.get((scope, name))
            if sent is None:
                rows += [] if before is None else [_removed_tag(scope, self._hwid, name)]
                continue
            value = _new_value(tag, before, sent)
            if value is None:
                self.skipped.append(Skipped(name, UNFIT_VALUE))
            elif value is not _UNCHANGED:
                rows.append({"application": scope, "hwid": self._hwid, "tag": name, "value": value})
        return rows


_UNCHANGED: Any = object()


def _new_value(tag: Tag, before: Row | None, sent: Any) -> Value | None:
    """The tag's new value; None if what was sent does not fit its type."""
    if not isinstance(sent, dict):
        return fitted(tag.type, sent)
    values = fitted(ValueType.LIST, sent.get("value"))
    if tag.type is not ValueType.LIST or not isinstance(values, list):
        return None
    now = msgspec.json.decode(before["value"]) if before is not None and before["value"] is not None else None
    held: list[str] = now if isinstance(now, list) else []
    if sent.get("operation") == "append":
        return fitted(ValueType.LIST, [*held, *values])
    if sent.get("operation") == "remove":
        return [each for each in held if each not in values] if held else _UNCHANGED
    return None


def _removed_tag(application: str | None, hwid: str, tag: str) -> RowValues:
    return {"application": application, "hwid": hwid, "tag": tag, "value": None, "is_deleted": 1}


def _live(devices: Iterable[Row], application: str) -> Row | None:
    return next((row for row in devices if row["application"] == application and not row["is_deleted"]), None)


def _is_set(tag: Row) -> bool:
    return not tag["is_deleted"] and tag["value"] is not None
