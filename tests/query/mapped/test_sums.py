"""Sums by keys, in whatever order the rows come."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from airtally.query.mapped.sums import TooManyKeys, grouped
from airtally.streams.rollup import Function

FUNCTIONS = (Function.SUM, Function.MIN, Function.MAX, Function.COUNT)


@pytest.mark.parametrize("sizes", [(3, 5), (300, 500), (1, 65_535), (1 << 31, 1 << 31)])
@pytest.mark.parametrize("ordered", [True, False])
def test_sums_equal_a_naive_count(sizes, ordered):
    chance = np.random.default_rng(7)
    keys = [chance.integers(max(0, size - 4), size, 1000) for size in sizes]
    if ordered:
        order = np.lexsort(keys[::-1])
        keys = [each[order] for each in keys]
    figures = [chance.integers(-128, 128, 1000).astype(np.int8) for _ in FUNCTIONS]
    figures[0] = figures[0].astype(np.int64) << 50
    groups = grouped(keys, sizes, figures, FUNCTIONS)
    naive = defaultdict(list)
    for row in zip(*keys, *figures, strict=True):
        naive[tuple(map(int, row[:2]))].append([int(each) for each in row[2:]])
    expected = {
        key: (sum(r[0] for r in rows), min(r[1] for r in rows), max(r[2] for r in rows), sum(r[3] for r in rows))
        for key, rows in naive.items()
    }
    found = zip(*(each.tolist() for each in (*groups.keys, *groups.figures)), strict=True)
    assert {row[:2]: row[2:] for row in found} == expected
    assert [each.dtype for each in groups.figures] == [np.int64] * 4


def test_no_rows_are_no_groups():
    nothing = np.zeros(0, np.int8)
    assert len(grouped([nothing], [0], [nothing], [Function.SUM])) == 0


def test_keys_that_need_more_than_64_bits_are_refused():
    with pytest.raises(TooManyKeys):
        grouped([np.zeros(1, np.int64)] * 3, [1 << 30] * 3, [], [])
