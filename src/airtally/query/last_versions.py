"""The version of each key that counts, for rows in memory: what `query/changelog.py` says in SQL."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from airtally.query.changelog import LIVE, VERSION_TIME
from airtally.sql.case import folded_array
from airtally.streams.declaration import RECEIVED_ORDER, Stream


def version_schema(stream: Stream) -> pa.Schema:
    """The stream's columns, and those that say which version of a key counts."""
    return pa.schema([stream.stored_schema.field(name) for name in (*stream.row_schema.names, *RECEIVED_ORDER)])


def merged_versions(stream: Stream, last: pa.Table, rows: pa.Table) -> pa.Table:
    """The last version of each key of both tables (`version_schema`), in order of the key; `last` has one of each."""
    if not rows.num_rows:
        return last
    touched = reduce(pc.and_, (_found_in(stream, name, last, rows) for name in stream.key))
    winners = _last_of_each(stream, pa.concat_tables([last.filter(touched), rows]))
    return in_key_order(stream, pa.concat_tables([last.filter(pc.invert(touched)), winners]))


def in_key_order(stream: Stream, records: pa.Table) -> pa.Table:
    """By the key as it is written, nulls last, as listings have it."""
    keys = [(name, "ascending", "at_end") for name in stream.key]
    return records.take(pc.sort_indices(records.select(stream.key), sort_keys=keys))


def live_records(stream: Stream, last: pa.Table) -> pa.Table:
    """`stream.row_schema`, without deleted ones."""
    return last.filter(pc.equal(last.column(LIVE.column), LIVE.value)).select(stream.row_schema.names).combine_chunks()


def _last_of_each(stream: Stream, versions: pa.Table) -> pa.Table:
    """Nulls are the least."""
    codes = {f"key {name}": _codes(stream, name, versions) for name in stream.key}
    order = {name: versions.column(name) for name in (VERSION_TIME, *RECEIVED_ORDER)}
    directions = [
        *((name, "ascending", "at_end") for name in codes),
        *((name, "descending", "at_end") for name in order),
    ]
    places = pc.sort_indices(pa.table(codes | order), sort_keys=directions).to_numpy()
    first = np.zeros(len(places), dtype=bool)
    first[:1] = True
    for each in codes.values():
        sorted_codes = each.to_numpy()[places]
        first[1:] |= sorted_codes[1:] != sorted_codes[:-1]
    return versions.take(pa.array(places[first]))


def _codes(stream: Stream, name: str, versions: pa.Table) -> pa.Array:
    """A number for each value, the same for those that are the same key; nulls have one too."""
    values = _compared(stream, name, versions).combine_chunks()
    return values.dictionary_encode(null_encoding="encode").indices


def _found_in(stream: Stream, name: str, last: pa.Table, rows: pa.Table) -> pa.ChunkedArray:
    values = _compared(stream, name, rows).combine_chunks()
    return pc.is_in(_compared(stream, name, last), value_set=values)


def _compared(stream: Stream, name: str, rows: pa.Table) -> pa.ChunkedArray:
    values = rows.column(name)
    return folded_array(values) if stream.by_name[name].fold_case else values
