"""Records that a form offers by name: those that are ticked, and those that a search finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airtally.console.operations import ConsoleOperations
from airtally.console.visits import Visit
from airtally.kit.errors import NotFound

#: Records that a search shows; ticked ones that are looked up by name.
_SHOWN, _NAMED = 12, 50


@dataclass(frozen=True, slots=True)
class FoundRecord:
    key: str
    name: str
    ticked: bool


@dataclass(frozen=True, slots=True)
class RecordChoice:
    """`records`: the ticked ones first. `more`: whether the search has others."""

    records: Sequence[FoundRecord]
    more: bool
    search: str


def chosen_records(
    operations: ConsoleOperations, visit: Visit, stream: str, ticked: Sequence[str], search: str
) -> RecordChoice:
    """What the form shows: a number that no record has can be ticked too, as plays of it may have come."""
    search = search.strip()[:256]
    query = {"search": search, "limit": _SHOWN}
    page = operations.call(visit, "list_records", path={"stream": stream}, query=query)
    kept = [FoundRecord(each, _name_of(operations, visit, stream, each, at), ticked=True) for at, each in _few(ticked)]
    keys = {each.key for each in kept}
    found = [FoundRecord(each.record, _label(each), ticked=False) for each in page.items if each.record not in keys]
    if search.isascii() and search.isdigit() and search not in {*keys, *(each.key for each in found)}:
        found.insert(0, FoundRecord(search, "not declared", ticked=False))
    return RecordChoice([*kept, *found], page.next is not None, search)


def _few(ticked: Sequence[str]) -> list[tuple[int, str]]:
    return list(enumerate(dict.fromkeys(ticked)))


def _name_of(operations: ConsoleOperations, visit: Visit, stream: str, key: str, at: int) -> str:
    """Empty for one of many, and for what is no record."""
    if at >= _NAMED:
        return ""
    try:
        return _label(operations.call(visit, "get_record", path={"stream": stream, "record": key}))
    except NotFound:
        return "not declared"


def _label(record: Any) -> str:
    return str(record.values.get("name") or "")
