"""Rows in memory put in an order by several of their columns, as the engines do it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airtally.query.line_pieces import Order


def order_by(rows: pa.Table, keys: Sequence[str], *, descending: bool) -> Order | None:
    """The places of the rows in ascending order, or the other way round; texts are compared by their bytes.

    Keys are numbers, times or texts. None where one of them is null, whose place in the order differs by engine.
    """
    if any(rows[name].null_count for name in keys):
        return None
    order = np.lexsort([_comparable(rows[name]) for name in reversed(keys)])
    return order[::-1] if descending else order


def _comparable(values: pa.ChunkedArray) -> npt.NDArray[np.integer]:
    if not pa.types.is_string(values.type):
        numbers: npt.NDArray[np.integer] = values.cast(pa.int64()).to_numpy()
        return numbers
    encoded = values.dictionary_encode().combine_chunks()
    ranks = np.empty(len(encoded.dictionary), np.int32)
    ranks[pc.array_sort_indices(encoded.dictionary).to_numpy()] = np.arange(len(ranks), dtype=np.int32)
    ranked: npt.NDArray[np.integer] = ranks[encoded.indices.to_numpy()]
    return ranked
