"""Figures of rows with equal keys combined into one, by whole numbers of 64 bits alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from airtally.rollups.maps.columns import Numbers
from airtally.streams.rollup import Function

_COMBINED = {Function.MIN: np.minimum, Function.MAX: np.maximum}
_MOST_KEYS = 1 << 62
#: Keys of 16 bits are sorted by counting, which takes a tenth of the time.
_FEW_KEYS = (1 << 16) - 1


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
    combined = _one_key(keys, sizes)
    if np.any(combined[1:] < combined[:-1]):
        order = np.argsort(combined, kind="stable")
        combined, figures = combined[order], [each[order] for each in figures]
    first = np.empty(len(combined), np.bool_)
    first[:1] = True
    np.not_equal(combined[1:], combined[:-1], out=first[1:])
    starts = np.flatnonzero(first)
    sums = (_combined(each, starts, function) for each, function in zip(figures, functions, strict=True))
    return Groups(_single_keys(combined[starts], sizes), tuple(sizes), tuple(sums))


def _combined(figures: Numbers, starts: Numbers, function: Function) -> Numbers:
    if not len(figures):
        return np.zeros(0, np.int64)
    over = _COMBINED.get(function, np.add)
    found: Numbers = over.reduceat(figures, starts, dtype=np.int64)
    return found


def _one_key(keys: Sequence[Numbers], sizes: Sequence[int]) -> Numbers:
    """The keys as one number, in the same order."""
    most = 1
    for size in sizes:
        most *= max(1, size)
    if most > _MOST_KEYS:
        raise TooManyKeys
    kind = np.uint16 if most <= _FEW_KEYS else np.int64
    combined: Numbers = keys[0].astype(kind)
    for key, size in zip(keys[1:], sizes[1:], strict=True):
        combined *= kind(size)
        combined += key.astype(kind, copy=False)
    return combined


def _single_keys(combined: Numbers, sizes: Sequence[int]) -> tuple[Numbers, ...]:
    found: list[Numbers] = []
    left: Numbers = combined.astype(np.int64)
    for size in reversed(sizes[1:]):
        left, key = np.divmod(left, size)
        found.append(key)
    return (left, *reversed(found))
