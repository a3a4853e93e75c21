"""Figures as the text of series: `[[1795132800,10],[1795219200,0]]`, a pair for each bucket of the range.

A month of hours by country is 72,000 pairs: they are written column by column, none of them is a Python object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from airtally.kit.time import SECOND_US
from airtally.query.narrow import is_wide, plain
from airtally.query.question import BUCKET
from airtally.vendors.tapjoy.params import InsightsParams
from airtally.vendors.tapjoy.query import COUNTS, SPEND

Numbers = npt.NDArray[Any]  # of int64, or of Python's numbers

#: So many pairs of a metric are written at once.
BLOCK_PAIRS = 1 << 17

#: With fewer than one of so many pairs other than zero the zeros are written as text.
_SPARSE = 4
_MICROS_OF_CENT = 10_000
_LARGE = 1 << 62
_CLOSING, _NOTHING_BETWEEN = pa.scalar("],"), pa.scalar("")  # texts would be looked at anew at each call
_SIGNS = pa.array(["", "-"])
#: `.5` for 50 cents, nothing for none.
_FRACTIONS = pa.array([f".{cents:02}".rstrip("0").rstrip(".") for cents in range(100)])


def insights(answer: pa.Table, asked: InsightsParams) -> Iterator[bytes]:
    """Pieces of the object `insights` from an answer to `query.question`; countries in order of their codes."""
    if not asked.by_country:
        of_group: Numbers = np.zeros(answer.num_rows, np.int64)
        yield from (b"{", *_groups(answer, asked, 1, of_group), b"}")
        return
    names, of_group = _countries(answer)
    opening = b"{"
    for name, series in zip(names, _groups(answer, asked, len(names), of_group), strict=True):
        yield b'%b"%b":{%b}' % (opening, name.encode(), series)
        opening = b","
    yield b"}" if names else b"{}"


def cents(micros: Numbers) -> Numbers:
    """Micros rounded to cents, half a cent away from zero."""
    rounded: Numbers = (np.abs(micros) + _MICROS_OF_CENT // 2) // _MICROS_OF_CENT * np.sign(micros)
    return rounded


def _countries(answer: pa.Table) -> tuple[list[str], Numbers]:
    """The codes in order, and for each row the place of its own among them."""
    encoded = answer.column("country").combine_chunks().dictionary_encode()
    found: list[str] = encoded.dictionary.to_pylist()
    order = sorted(range(len(found)), key=found.__getitem__)
    ranks = np.empty(len(found), np.int64)
    ranks[order] = np.arange(len(found))
    return [found[each] for each in order], ranks[encoded.indices.to_numpy()]


def _groups(answer: pa.Table, asked: InsightsParams, groups: int, of_group: Numbers) -> Iterator[bytes]:
    """The four series of each group, without the braces around them."""
    count = len(asked.stamps)
    places = of_group * count + (_numbers(answer, BUCKET) // SECOND_US - asked.start) // asked.step
    values = {name: _numbers(answer, name) for name in COUNTS} | {SPEND: cents(-_numbers(answer, SPEND))}
    block = max(1, BLOCK_PAIRS // max(1, count))
    if len(places) * _SPARSE < groups * count:
        yield from _sparse(places, values, asked.stamps, groups)
        return
    for first in range(0, groups, block):
        size = min(block, groups - first)
        held = np.flatnonzero((of_group >= first) & (of_group < first + size))
        within = places[held] - first * count
        part = {name: _dense(within, each[held], size * count) for name, each in values.items()}
        yield from _block(part, asked.stamps, size)


def _sparse(places: Numbers, values: Mapping[str, Numbers], stamps: range, groups: int) -> Iterator[bytes]:
    """Where most pairs are zero, as those of hours by country are: they are copied as one text, with gaps."""
    count, order = len(stamps), np.argsort(places)
    edges = np.arange(groups + 1) * count
    columns = {}
    for name, each in values.items():
        held = order[each[order] != 0]
        bounds = np.searchsorted(places[held], edges).tolist()
        columns[name] = (places[held] % count).tolist(), _number_texts(name, each[held]), bounds
    zeros = _zeros(stamps.start, count, stamps.step)
    for group in range(groups):
        series = (
            b'"%b":[%b]' % (name.encode(), zeros.patched(at[low:high], texts[low:high]))
            for name, (at, texts, bounds) in columns.items()
            for low, high in [bounds[group : group + 2]]
        )
        yield b",".join(series)


def _number_texts(name: str, values: Numbers) -> list[str]:
    if name != SPEND:
        return list(map(str, values.tolist()))
    joined: list[str] = pc.binary_join_element_wise(*_money(values), _NOTHING_BETWEEN).to_pylist()
    return joined


class _Zeros:
    """A series of zeros, and where each pair begins in its text."""

    def __init__(self, stamps: range) -> None:
        pairs = [b"[%d,0]," % stamp for stamp in stamps]
        self._openings = [pair[:-3] for pair in pairs]
        self._text = memoryview(b"".join(pairs))
        self._starts = np.concatenate([[0], np.cumsum([len(pair) for pair in pairs])]).tolist()

    def patched(self, places: list[int], texts: list[str]) -> bytes:
        """With other values at ascending places."""
        pieces: list[bytes | memoryview] = []
        at = 0
        for place, text in zip(places, texts, strict=True):
            pieces += (self._text[self._starts[at] : self._starts[place]], self._openings[place], text.encode(), b"],")
            at = place + 1
        pieces.append(self._text[self._starts[at] :])
        return b"".join(pieces)[:-1]


@lru_cache(maxsize=64)
def _zeros(start: int, count: int, step: int) -> _Zeros:
    return _Zeros(range(start, start + count * step, step))


def _dense(places: Numbers, values: Numbers, length: int) -> Numbers:
    dense = np.zeros(length, values.dtype)
    dense[places] = values
    return dense


def _block(figures: Mapping[str, Numbers], stamps: range, groups: int) -> Iterator[bytes]:
    openings = pa.concat_arrays([_openings(stamps.start, len(stamps), stamps.step)] * groups)
    texts = [_series(name, figures[name], openings, groups) for name in figures]
    yield from map(b",".join, zip(*texts, strict=True))


@lru_cache(maxsize=64)
def _openings(start: int, count: int, step: int) -> pa.Array:
    """`[1795132800,` for each bucket."""
    return pa.array([f"[{start + place * step}," for place in range(count)], pa.string())


def _series(name: str, values: Numbers, openings: pa.Array, groups: int) -> list[bytes]:
    """`"paid_clicks":[…]` of each group."""
    opening = b'"%b":[' % name.encode()
    if not len(values):
        return [opening + b"]"] * groups
    parts = _money(values) if name == SPEND else (_digits(values),)
    pairs = pc.binary_join_element_wise(openings, *parts, _CLOSING, _NOTHING_BETWEEN)
    _, offsets, content = pairs.buffers()
    ends = np.frombuffer(offsets, np.int32)[:: len(values) // groups][: groups + 1].tolist()
    text = memoryview(content)
    return [b"".join((opening, text[begin : end - 1], b"]")) for begin, end in pairwise(ends)]


def _money(values: Numbers) -> tuple[Any, ...]:
    """Cents as sign, whole units and fraction; zero is `0`."""
    whole, fraction = np.divmod(np.abs(values), 100)
    signs = _SIGNS.take(pa.array((values < 0).astype(np.int8)))
    return signs, _digits(whole), _FRACTIONS.take(pa.array(fraction.astype(np.int8)))


def _digits(values: Numbers) -> pa.Array:
    if values.dtype == object:
        return pa.array(list(map(str, values.tolist())), pa.string())
    return pc.cast(pa.array(values), pa.string())


def _numbers(answer: pa.Table, name: str) -> Numbers:
    """Python's numbers where some are so large that their sums, or their opposites, leave 64 bits."""
    column = answer.column(name)
    if is_wide(column):
        return np.array(plain(column), object)
    numbers: Numbers = column.to_numpy()
    if len(numbers) and not -_LARGE < numbers.min() <= numbers.max() < _LARGE:
        return numbers.astype(object)
    return numbers
