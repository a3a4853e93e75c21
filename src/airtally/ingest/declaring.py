"""Rows declare the events, attributes and tags that they are the first to name; later ones must fit.

What is new is declared before the rows are committed: no acknowledged row is without its declaration. A batch that is
refused afterwards leaves its declarations behind.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.accounts.declared import EventKey, EventTypeRegistry, MetTag, Tag, ValueType
from airtally.ingest.checked import Checked
from airtally.ingest.value_types import fits, inferred, misfit
from airtally.streams.app_events import APP_EVENTS
from airtally.streams.declaration import Stream
from airtally.streams.device_tags import DEVICE_TAGS

#: By place in a list: the field and what is wrong with it.
Wrong = dict[int, tuple[str, str]]
_Types = dict[EventKey, dict[str, ValueType]]

_EVENT = ["application", "event"]


class Declaring:
    def __init__(self, declared: EventTypeRegistry) -> None:
        self._declared = declared

    def check(self, stream: Stream, account: Account, checked: Checked) -> Checked:
        """Without the rows whose values do not fit. Other streams' rows declare nothing."""
        if stream.name == APP_EVENTS.name and checked.rows.num_rows:
            return self._events(account, checked)
        if stream.name == DEVICE_TAGS.name and checked.rows.num_rows:
            return self._tags(account, checked)
        return checked

    def _events(self, account: Account, checked: Checked) -> Checked:
        events = _pairs(_distinct(checked.rows.select(_EVENT)), *_EVENT)
        given = checked.rows.select([*_EVENT, "attributes"])
        if given.column("attributes").null_count == given.num_rows:
            self._declared.meet_events(account, {key: {} for key in events})
            return checked
        texts = _distinct(given.filter(pc.is_valid(given.column("attributes"))))
        wrong = self._attributes(account, events, texts)
        return checked.without_rows(_spread(wrong, given, texts))

    def _attributes(self, account: Account, events: list[EventKey], texts: pa.Table) -> Wrong:
        """What is wrong with each of the distinct texts, once all that is new in the others is declared."""
        keys, found = _pairs(texts, *_EVENT), texts.column("attributes").to_pylist()
        known = self._declared.events(account, events)
        while True:
            types: _Types = {key: dict(known[key].attributes) if key in known else {} for key in events}
            new: _Types = {key: {} for key in events}
            wrong = _judge(keys, found, types, new)
            met = self._declared.meet_events(account, new)
            if all(met[key].attributes[name] is new[key][name] for key in events for name in new[key]):
                return wrong
            known = met  # another process was first, and met something else

    def _tags(self, account: Account, checked: Checked) -> Checked:
        rows = checked.rows.select(["application", "tag", "value", "is_deleted"])
        rows = rows.append_column("type", _types_of(rows.column("value")))
        rows = rows.append_column("specific", pc.is_valid(rows.column("application")))
        kinds = rows.select(["tag", "specific", "type"])
        given = pc.and_(pc.is_valid(rows.column("value")), pc.equal(rows.column("is_deleted"), 0))
        kept = kinds.filter(given)
        groups = _distinct(kept)
        columns = (groups.column(name).to_pylist() for name in kinds.column_names)
        found = [(name, MetTag(ValueType(number), specific)) for name, specific, number in zip(*columns, strict=True)]
        tags = self._declared.meet_tags(account, dict(reversed(found)))  # the first of each name is left
        values = _Values(rows.column("value"))
        wrong: Wrong = {}
        if any(_is_doubtful(tags[name], met, values) for name, met in found):
            wrong = _judge_tags(rows, given, tags)
        return checked.without_rows(wrong)


class _Values:
    """The longest of the values, looked for at most once."""

    def __init__(self, values: pa.ChunkedArray) -> None:
        self._values = values
        self._longest: int | None = None

    @property
    def longest(self) -> int:
        if self._longest is None:
            self._longest = pc.max(pc.binary_length(self._values)).as_py() or 0
        return self._longest


def _judge(keys: list[EventKey], texts: list[str], types: _Types, new: _Types) -> Wrong:
    """Adds to `types` and `new` what the texts that fit are the first to name."""
    wrong: Wrong = {}
    decode = msgspec.json.Decoder().decode
    for place, (key, text) in enumerate(zip(keys, texts, strict=True)):
        known = types[key]
        first: dict[str, ValueType] = {}
        for name, value in decode(text).items():
            wanted = known.get(name)
            if wanted is None:
                wanted = first[name] = inferred(value)
                if "\0" in name:
                    wrong[place] = ("attributes", "a name holds the character U+0000")
                    break
            if not fits(wanted, value):
                wrong[place] = (f"attributes.{name[:128]}", misfit(wanted, value))
                break
        else:
            if first:
                known |= first
                new[key] |= first
    return wrong


def _types_of(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """The number of each JSON text's type, as it would be declared."""
    first = pc.utf8_slice_codeunits(values, 0, 1)
    fraction = pc.match_substring_regex(values, r"^-?[0-9]+[.eE]")
    number = pc.if_else(fraction, _type_code(ValueType.PRICE), _type_code(ValueType.INTEGER))
    boolean = pc.is_in(first, value_set=pa.array(["t", "f"]))
    rest = pc.if_else(boolean, _type_code(ValueType.BOOLEAN), number)
    rest = pc.if_else(pc.equal(first, "["), _type_code(ValueType.LIST), rest)
    return pc.if_else(pc.equal(first, '"'), _type_code(ValueType.STRING), rest)


def _type_code(of: ValueType) -> pa.Scalar:
    return pa.scalar(int(of), pa.int8())


def _is_doubtful(tag: Tag, met: MetTag, values: _Values) -> bool:
    """Whether some row of a kind may be wrong."""
    if tag.application_specific is not met.application_specific:
        return True
    if tag.type is ValueType.PRICE:
        return met.type not in {ValueType.PRICE, ValueType.INTEGER}
    return tag.type is not met.type or (met.type is ValueType.INTEGER and values.longest > 18)


def _judge_tags(rows: pa.Table, given: pa.ChunkedArray, tags: dict[str, Tag]) -> Wrong:
    wrong: Wrong = {}
    decode = msgspec.json.Decoder().decode
    columns = [rows.column(name).to_pylist() for name in ("tag", "application", "value")]
    for row, (has_value, name, application, text) in enumerate(zip(given.to_pylist(), *columns, strict=True)):
        if not has_value:
            continue
        tag = tags[name]
        if tag.application_specific is not (application is not None):
            wrong[row] = ("application", _SCOPES[tag.application_specific])
        elif not fits(tag.type, value := decode(text)):
            wrong[row] = ("value", misfit(tag.type, value))
    return wrong


_SCOPES = {
    True: "required: each application has a value of its own of this tag",
    False: "expected none: all applications share this tag",
}


def _distinct(rows: pa.Table) -> pa.Table:
    """In the order of first appearance."""
    return rows.group_by(rows.column_names, use_threads=False).aggregate([])


def _pairs(rows: pa.Table, first: str, second: str) -> list[tuple[str, str]]:
    return list(zip(rows.column(first).to_pylist(), rows.column(second).to_pylist(), strict=True))


def _spread(wrong: Wrong, rows: pa.Table, distinct: pa.Table) -> Wrong:
    """What is wrong with each row, from what is wrong with the distinct ones."""
    if not wrong:
        return {}
    return {row: wrong[place] for row, place in _places(rows, distinct) if place in wrong}


def _places(rows: pa.Table, distinct: pa.Table) -> Iterator[tuple[int, int]]:
    """Each row's number, and the place of the distinct row that it equals."""
    names = distinct.column_names
    numbered = rows.append_column("row", pa.array(np.arange(rows.num_rows)))
    places = distinct.append_column("place", pa.array(np.arange(distinct.num_rows)))
    joined = numbered.join(places, names, join_type="inner")
    return zip(joined.column("row").to_pylist(), joined.column("place").to_pylist(), strict=True)
