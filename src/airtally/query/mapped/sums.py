"""Figures of rows with equal keys combined into one, by whole numbers of 64 bits alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airtally.rollups.maps.columns import Numbers
from airtally.streams.rollup import Function

_COMBINED = {Function.MIN: np.minimum, Function.MAX: np.maximum}
_UNSET = {Function.MIN: (1 << 63) - 1, Function.MAX: -(1 << 63)}
_MOST_KEYS = 1 << 62
#: Up to so many possible keys for each row, or in all, each gets a place of its own: rows are not sorted then.
_PLACES_A_ROW, _FEW_PLACES = 2, 1 << 12


class TooManyKeys(Exception):
    """The keys of the groups do not fit into 64 bits together."""


@dataclass(frozen=True, slots=True)
class Groups:
    """One group a row, each once: its keys, numbers from 0 up to their `sizes`, and its figures (int64)."""

    keys: tuple[Numbers, ...]
    sizes: tuple[int, ...]
    figures: tuple[Numbers, ...]

    def __len__(self) -> int:
        return len(self.keys[0])


def grouped(
    keys: Sequence[Numbers], sizes: Sequence[int], figures: Sequence[Numbers], functions: Sequence[Function]
) -> Groups:
    """The rows' figures by their keys, of which there is at least one. Raises TooManyKeys.

    The caller sees to it that no sum leaves 64 bits.
    """
    most = _number_of_keys(sizes)
    combined = _one_key(keys, sizes)
    if np.any(combined[1:] < combined[:-1]):
        if most <= max(_FEW_PLACES, _PLACES_A_ROW * len(combined)):
            return _placed(combined, most, sizes, figures, functions)
        order = np.argsort(combined, kind="stable")
        combined, figures = combined[order], [each[order] for each in figures]
    first = np.empty(len(combined), np.bool_)
    first[:1] = True
    np.not_equal(combined[1:], combined[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    sums = (_neighbours(each, starts, function) for each, function in zip(figures, functions, strict=True))
    return Groups(_single_keys(combined[starts], sizes), tuple(sizes), tuple(sums))


def _neighbours(figures: Numbers, starts: Numbers, function: Function) -> Numbers:
    """The figures of rows from each start up to the next."""
    if not len(figures):
        return np.zeros(0, np.int64)
    over = _COMBINED.get(function, np.add)
    found: Numbers = over.reduceat(figures, starts, dtype=np.int64)
    return found


def _placed(
    combined: Numbers, most: int, sizes: Sequence[int], figures: Sequence[Numbers], functions: Sequence[Function]
) -> Groups:
    """Rows in any order, each added at the place of its key."""
    taken = np.zeros(most, np.bool_)
    taken[combined] = True
    places = np.flatnonzero(taken)
    sums = []
    for each, function in zip(figures, functions, strict=True):
        found = np.full(most, _UNSET.get(function, 0), np.int64)
        _COMBINED.get(function, np.add).at(found, combined, each.astype(np.int64))
        sums.append(found[places])
    return Groups(_single_keys(places, sizes), tuple(sizes), tuple(sums))


def _number_of_keys(sizes: Sequence[int]) -> int:
    """Raises TooManyKeys."""
    most = math.prod(max(1, size) for size in sizes)
    if most > _MOST_KEYS:
        raise TooManyKeys
    return most


def _one_key(keys: Sequence[Numbers], sizes: Sequence[int]) -> Numbers:
    """The keys as one number, in the same order."""
    combined: Numbers = keys[0].astype(np.int64)
    for key, size in zip(keys[1:], sizes[1:], strict=True):
        combined *= size
        combined += key
    return combined


def _single_keys(combined: Numbers, sizes: Sequence[int]) -> tuple[Numbers, ...]:
    found: list[Numbers] = []
    left = combined
    for size in reversed(sizes[1:]):
        left, key = np.divmod(left, size)
        found.append(key)
    return (left, *reversed(found))
