"""Reads a segment's Parquet file into narrow columns, one after the other: beside them only one is in memory at full width."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from airtally.kit.time import MINUTE_US, SECOND_US
from airtally.rollups.maps.columns import (
    Flags,
    MeasureColumn,
    Numbers,
    SegmentColumns,
    TextColumn,
    TimeColumn,
    narrowest,
)
from airtally.streams.rollup import Rollup

#: The column of a file that holds segments of several accounts.
ACCOUNT = "account"


#: The texts of a dimension are looked up in memory: with more of them only the engine reads the segment.
MOST_TEXTS = 100_000


class NotMappable(Exception):
    """A segment file that only the engine reads: a measure has no figure in some row, or a dimension too many texts."""


def narrow_columns(path: Path, rollup: Rollup, account: str) -> SegmentColumns:
    """The rows of a file, all of `account` unless a column names their accounts, in the order of a map.

    Raises NotMappable, and FileNotFoundError where the file is gone.
    """
    shared = ACCOUNT in pq.read_schema(path).names
    texts = (ACCOUNT, *rollup.dimensions) if shared else rollup.dimensions
    with pq.ParquetFile(path, read_dictionary=list(texts)) as file:
        return _narrowed(lambda name: file.read([name]).column(0), rollup, account, shared=shared)


def narrow_cells(cells: pa.Table, rollup: Rollup, account: str) -> SegmentColumns:
    """A table of an account's cells, at least one. Raises NotMappable, also for a sum wider than 64 bits."""
    try:
        return _narrowed(cells.column, rollup, account, shared=False)
    except pa.ArrowInvalid as error:
        raise NotMappable(str(error)) from None


def _narrowed(read: Callable[[str], pa.ChunkedArray], rollup: Rollup, account: str, *, shared: bool) -> SegmentColumns:
    names = (ACCOUNT, *rollup.dimensions) if shared else rollup.dimensions
    texts = {name: _text_column(read(name)) for name in names}
    time = _time_column(read("time"), rollup)
    order = _order([*(each.codes for each in texts.values()), time.codes])
    measures = {each.name: _measure_column(read(each.name), order) for each in rollup.measures}
    if order is not None:
        texts = {name: TextColumn(each.codes[order], each.values) for name, each in texts.items()}
        time = TimeColumn(time.codes[order], time.first_us, time.unit_us, time.last)
    owner = texts.pop(ACCOUNT, None)
    accounts = {account: (0, len(time.codes))} if owner is None else _ranges(owner)
    return SegmentColumns(accounts, texts, time, measures)


def _text_column(stored: pa.ChunkedArray) -> TextColumn:
    """The texts in the order of their bytes, a null after them."""
    encoded = stored if pa.types.is_dictionary(stored.type) else stored.dictionary_encode()
    one = encoded.unify_dictionaries().combine_chunks()
    found = pa.concat_arrays(one.chunks) if isinstance(one, pa.ChunkedArray) else one
    if len(found.dictionary) > MOST_TEXTS:
        raise NotMappable(f"a dimension has more than {MOST_TEXTS} texts")
    by_text = pc.sort_indices(found.dictionary)
    texts = found.dictionary.take(by_text)
    ranks = np.empty(len(texts) + 1, np.int64)
    ranks[by_text.to_numpy()] = np.arange(len(texts))
    ranks[-1] = len(texts)
    codes = ranks[pc.fill_null(found.indices.cast(pa.int64()), len(texts)).to_numpy()]
    if found.null_count:
        texts = pa.concat_arrays([texts, pa.nulls(1, texts.type)])
    return TextColumn(codes.astype(narrowest(0, len(texts), signed=False)), texts)


def _time_column(stored: pa.ChunkedArray, rollup: Rollup) -> TimeColumn:
    """In the longest unit in which all cells begin at whole numbers: local days begin at whole minutes."""
    at_us = _int64(stored)
    first_us = int(at_us.min())
    past = at_us - first_us
    for unit_us in (rollup.grain_us, MINUTE_US, SECOND_US, 1):
        if not np.any(past % unit_us):
            break
    last = int(past.max()) // unit_us
    return TimeColumn((past // unit_us).astype(narrowest(0, last, signed=False)), first_us, unit_us, last)


def _measure_column(stored: pa.ChunkedArray, order: Numbers | None) -> MeasureColumn:
    if stored.null_count:
        raise NotMappable("a measure without a figure")
    figures = _int64(stored)
    least, most = int(figures.min()), int(figures.max())
    narrow = figures.astype(narrowest(least, most, signed=True))
    return MeasureColumn(narrow if order is None else narrow[order], least, most)


def _int64(stored: pa.ChunkedArray) -> Numbers:
    numbers: Numbers = stored.cast(pa.int64()).to_numpy()
    return numbers


def _order(keys: Sequence[Numbers]) -> Numbers | None:
    """The rows in the order of the keys, the first of which counts most; None if that is how they are stored."""
    undecided: Flags = np.ones(max(0, len(keys[0]) - 1), np.bool_)
    for key in keys:
        if np.any(undecided & (key[1:] < key[:-1])):
            ordered: Numbers = np.lexsort(tuple(reversed(keys)))
            return ordered
        undecided &= key[1:] == key[:-1]
    return None


def _ranges(owner: TextColumn) -> Mapping[str, tuple[int, int]]:
    """The rows of each account. Raises NotMappable where a row has none."""
    places = np.searchsorted(owner.codes, np.arange(len(owner.texts) + 1)).tolist()
    found = {}
    for code, account in enumerate(owner.texts):
        if account is None:
            raise NotMappable("a row of no account")
        found[account] = (places[code], places[code + 1])
    return found
