"""Lines put together, in their order, of texts that many of them share.

A day of plays has some thousand times, players and medias, and millions of lines: each text is made once, and the bytes
of the file are then copied from them, two or three texts to a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Codes = npt.NDArray[np.int32]
Order = npt.NDArray[np.intp]

#: Bytes and lines that are made at once: they stay in the processor's cache until they are compressed.
_SLICE_BYTES = 4 << 20
_SLICE_LINES = 1 << 15

#: Two stretches with more pairs than these are not joined: looking up which pairs occur would take longer.
_MOST_PAIRS = 1 << 20
_LINES_A_PAIR = 4
_ROWS_A_RUN = 4


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of every line: the texts that occur there, and for each row which of them it has."""

    texts: pa.StringArray
    codes: Codes

    def between(self, before: str, after: str = "") -> Stretch:
        """The same with a text before and one after it on every line."""
        return Stretch(_concatenated(before, self.texts, after), self.codes)


def constant(text: str, rows: int) -> Stretch:
    """The same text on every line."""
    return Stretch(pa.array([text], pa.string()), np.zeros(rows, np.int32))


def of_values(values: pa.ChunkedArray, *, quoted: bool, null: str | None) -> Stretch:
    """Numbers or texts as JSON has them. `null` stands for a null; without it that is an empty value."""
    found, codes = _values_that_occur(values)
    texts = found.cast(pa.string())
    if null is None:
        texts = pc.fill_null(texts, "")
    if quoted:
        texts = _concatenated('"', texts, '"')
    return Stretch(pc.fill_null(texts, null or ""), codes)


def of_times(seconds: npt.NDArray[np.int64]) -> Stretch:
    """`HH:MM:SS` in quotes, of seconds since midnight."""
    found, codes = _codes_that_occur(seconds, 86_400)
    units = (36_000, 10), (3600, 10), None, (600, 6), (60, 10), None, (10, 6), (1, 10)
    digits = np.full((len(found), len(units) + 2), ord('"'), np.uint8)
    for at, unit in enumerate(units, 1):
        digits[:, at] = ord(":") if unit is None else ord("0") + found // unit[0] % unit[1]
    ends = np.arange(len(found) + 1, dtype=np.int32) * digits.shape[1]
    return Stretch(pa.StringArray.from_buffers(len(found), pa.py_buffer(ends), pa.py_buffer(digits)), codes)


def joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Neighbours are made one where far fewer pairs of their texts occur than there are lines."""
    left: list[Stretch] = []
    for each in stretches:
        both = _join(left[-1], each) if left else None
        left[-1:] = [*left[-1:], each] if both is None else [both]
    return left


def in_order(stretches: Sequence[Stretch], order: Order) -> Iterator[pa.StringArray]:
    """The lines of some rows at a time, as texts of which several make a line, one after the other."""
    pool = pa.concat_arrays([each.texts for each in stretches])
    starts = np.cumsum([0, *(len(each.texts) for each in stretches)]).astype(np.int32)
    step = _lines_at_once(stretches)
    for first in range(0, len(order), step):
        rows = order[first : first + step]
        places = np.empty((len(rows), len(stretches)), np.int32)
        for at, each in enumerate(stretches):
            np.add(each.codes[rows], starts[at], out=places[:, at])
        yield pool.take(pa.array(places.ravel()))


def _values_that_occur(values: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    """The values that occur, and the place of each row's among them.

    Files are sorted, so that many a column has the same value for many rows on end: of these one is looked up.
    """
    runs = pc.run_end_encode(values).chunks
    if sum(len(each.values) for each in runs) * _ROWS_A_RUN > len(values):
        return _looked_up(values)
    found, codes = _looked_up(pa.chunked_array([each.values for each in runs]))
    lengths = [np.diff(each.run_ends.to_numpy(), prepend=0) for each in runs]
    return found, np.repeat(codes, np.concatenate(lengths))


def _looked_up(values: pa.ChunkedArray) -> tuple[pa.Array, Codes]:
    encoded = values.dictionary_encode(null_encoding="encode").combine_chunks()
    codes: Codes = encoded.indices.to_numpy()
    return encoded.dictionary, codes


def _lines_at_once(stretches: Sequence[Stretch]) -> int:
    longest = sum(pc.max(pc.binary_length(each.texts)).as_py() or 0 for each in stretches)
    return max(1, min(_SLICE_LINES, _SLICE_BYTES // max(1, longest)))


def _join(one: Stretch, other: Stretch) -> Stretch | None:
    """None where joining them would not pay."""
    if len(one.texts) == 1:
        return other.between(one.texts[0].as_py())
    if len(other.texts) == 1:
        return one.between("", other.texts[0].as_py())
    width = len(other.texts)
    pairs = len(one.texts) * width
    if pairs > _MOST_PAIRS:
        return None
    found, codes = _codes_that_occur(one.codes * np.int32(width) + other.codes, pairs)
    if len(found) * _LINES_A_PAIR > len(codes):
        return None
    texts = _concatenated(one.texts.take(pa.array(found // width)), other.texts.take(pa.array(found % width)))
    return Stretch(texts, codes)


def _codes_that_occur(values: npt.NDArray[np.integer], below: int) -> tuple[npt.NDArray[np.int64], Codes]:
    """The values that occur, ascending, and the place of each row's among them."""
    occurs = np.zeros(below, np.bool_)
    occurs[values] = True
    found = np.flatnonzero(occurs)
    places = np.zeros(below, np.int32)
    places[found] = np.arange(len(found), dtype=np.int32)
    return found, places[values]


def _concatenated(*texts: str | pa.StringArray) -> pa.StringArray:
    return pc.binary_join_element_wise(*(pa.scalar(each) if isinstance(each, str) else each for each in texts), "")
