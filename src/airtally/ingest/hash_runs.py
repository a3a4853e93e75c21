"""A growing set of 64-bit hashes in memory: sorted runs, merged so that there are only a few."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]


class HashRuns:
    """8 bytes a hash, and one and a half times as much again while two runs are merged. Not thread-safe."""

    def __init__(self) -> None:
        self._runs: list[Hashes] = []

    def __len__(self) -> int:
        """At least the number of different hashes: one may be in several runs."""
        return sum(map(len, self._runs))

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(run.nbytes for run in self._runs)

    @property
    def runs(self) -> int:
        return len(self._runs)

    def add(self, hashes: Hashes) -> None:
        run = _distinct(np.sort(hashes))
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = _distinct(_merged(self._runs.pop(), run))
        self._runs.append(run)

    def holds(self, hashes: Hashes) -> Mask:
        """Whether each hash is there."""
        order = np.argsort(hashes)
        asked = hashes[order]
        found = np.zeros(len(hashes), dtype=bool)
        for run in self._runs:
            found[order] |= _in_order(run, asked)
        return found


def among(few: Hashes, hashes: Hashes) -> Mask:
    """Whether each of `hashes` is one of `few`, which are in any order."""
    runs = HashRuns()
    runs.add(few)
    return runs.holds(hashes)


def repeated(hashes: Hashes) -> Mask:
    """Whether each hash comes more than once."""
    order = np.argsort(hashes)
    same = hashes[order][1:] == hashes[order][:-1]
    found = np.zeros(len(hashes), dtype=bool)
    found[order[1:]] |= same
    found[order[:-1]] |= same
    return found


def _merged(one: Hashes, other: Hashes) -> Hashes:
    """Both in order. The stable sort finds the two sorted runs, and does no more than merge them."""
    whole = np.concatenate([one, other])
    whole.sort(kind="stable")
    return whole


def _distinct(run: Hashes) -> Hashes:
    """A sorted run without repeats.

    `np.unique` builds a hash table, which takes twenty times as long for 10 million.
    """
    first = np.ones(len(run), dtype=bool)
    np.not_equal(run[1:], run[:-1], out=first[1:])
    return run if first.all() else run[first]


def _in_order(run: Hashes, asked: Hashes) -> Mask:
    """Whether each of the sorted `asked` is in a sorted run."""
    if not len(run):
        return np.zeros(len(asked), dtype=bool)
    places = np.minimum(np.searchsorted(run, asked), len(run) - 1)
    found: Mask = run[places] == asked
    return found
