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
from airtally.query.question import BUCKET
from airtally.vendors.tapjoy.figures import COUNTS, SPEND
from airtally.vendors.tapjoy.params import Asked

Numbers = npt.NDArray[np.int64]

#: So many pairs of a metric are written at once.
BLOCK_PAIRS = 1 << 17

_MICROS_OF_CENT = 10_000
_CLOSING = "],"
_SIGNS = pa.array(["", "-"])
#: `.5` for 50 cents, nothing for none.
_FRACTIONS = pa.array([f".{cents:02}".rstrip("0").rstrip(".") for cents in range(100)])


def insights(answer: pa.Table, asked: Asked) -> Iterator[bytes]:
    """Pieces of the object `insights` from an answer to `figures.question`; countries in order of their codes."""
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
    """Half a cent is rounded away from zero."""
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


def _groups(answer: pa.Table, asked: Asked, groups: int, of_group: Numbers) -> Iterator[bytes]:
    """The four series of each group, without the braces around them."""
    count = len(asked.stamps)
    places = of_group * count + (_numbers(answer, BUCKET) // SECOND_US - asked.start) // asked.step
    values = {name: _numbers(answer, name) for name in COUNTS} | {SPEND: cents(-_numbers(answer, SPEND))}
    block = max(1, BLOCK_PAIRS // max(1, count))
    for first in range(0, groups, block):
        size = min(block, groups - first)
        held = np.flatnonzero((of_group >= first) & (of_group < first + size))
        within = places[held] - first * count
        part = {name: _dense(within, each[held], size * count) for name, each in values.items()}
        yield from _block(part, asked.stamps, size)


def _dense(places: Numbers, values: Numbers, length: int) -> Numbers:
    dense = np.zeros(length, np.int64)
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
    parts = _money(values) if name == SPEND else (pc.cast(pa.array(values), pa.string()),)
    pairs = pc.binary_join_element_wise(openings, *parts, _CLOSING, "")
    _, offsets, content = pairs.buffers()
    ends = np.frombuffer(offsets, np.int32)[:: len(values) // groups][: groups + 1].tolist()
    text = memoryview(content)
    return [b"".join((opening, text[begin : end - 1], b"]")) for begin, end in pairwise(ends)]


def _money(values: Numbers) -> tuple[Any, ...]:
    """Cents as sign, whole units and fraction; zero is `0`."""
    whole, fraction = np.divmod(np.abs(values), 100)
    signs = _SIGNS.take(pa.array((values < 0).astype(np.int8)))
    return signs, pc.cast(pa.array(whole), pa.string()), _FRACTIONS.take(pa.array(fraction))


def _numbers(answer: pa.Table, name: str) -> Numbers:
    numbers: Numbers = answer.column(name).to_numpy()
    return numbers
