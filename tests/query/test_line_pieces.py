"""Lines put together of shared texts are those that are made one by one."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.query import line_pieces
from airtally.query.line_pieces import Stretch, constant, in_order, joined, of_times, of_values
from airtally.query.lines import bytes_of

NUMBERS = st.none() | st.integers(-5, 5) | st.sampled_from([-(1 << 63), (1 << 63) - 1])
TEXTS = st.none() | st.sampled_from(["", "a", 'a\\"b', "é漢😀", "x" * 300])
ROWS = st.lists(st.tuples(st.integers(0, 86_399), NUMBERS, TEXTS, TEXTS), min_size=1, max_size=60)


def chunked(values: list[object], kind: pa.DataType, pieces: int) -> pa.ChunkedArray:
    """The values in several arrays, as they come from an engine."""
    step = -(-len(values) // pieces)
    return pa.chunked_array([pa.array(values[at : at + step], kind) for at in range(0, len(values), step)])


def text(stretches: list[Stretch], order: list[int]) -> str:
    return b"".join(bytes(bytes_of(each)) for each in in_order(stretches, np.array(order, np.intp))).decode()


@given(rows=ROWS, times_over=st.integers(1, 8), pieces=st.integers(1, 3), lines=st.integers(1, 9), seed=st.randoms())
def test_any_rows_in_any_order(rows, times_over, pieces, lines, seed) -> None:
    """With many of the same on end and few, in one slice and several; nulls as `null` where they may be."""
    rows = [row for row in rows for _ in range(times_over)]
    order = list(range(len(rows)))
    seed.shuffle(order)
    seconds, numbers, texts, required = (list(each) for each in zip(*rows, strict=True))
    stretches = [
        of_times(np.array(seconds)).between("<"),
        of_values(chunked(numbers, pa.int64(), pieces), quoted=False, null="null").between(","),
        of_values(chunked(texts, pa.string(), pieces), quoted=True, null="null").between(","),
        of_values(chunked(required, pa.string(), pieces), quoted=True, null=None).between(","),
        constant(">\n", len(rows)),
    ]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(line_pieces, "_SLICE_LINES", lines)
        made = text(joined(stretches), order)
    assert made == "".join(line(*rows[at]) for at in order)
    assert made == text(stretches, order)


def line(second: int, number: int | None, maybe: str | None, required: str | None) -> str:
    at = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    quoted = "null" if maybe is None else f'"{maybe}"'
    return f'<"{at}",{"null" if number is None else number},{quoted},"{required or ""}">\n'


def test_stretches_of_few_pairs_become_one_and_those_of_many_stay_apart() -> None:
    few = of_values(pa.chunked_array([list(range(10)) * 100]), quoted=False, null=None)
    many = of_values(pa.chunked_array([list(range(1000))]), quoted=False, null=None)
    assert [len(each.texts) for each in joined([constant("{", 1000), few, few, constant("}", 1000)])] == [10]
    assert [len(each.texts) for each in joined([few, many, few])] == [10, 1000, 10]


def test_long_lines_are_made_few_at_once() -> None:
    long = Stretch(pa.array(["x" * (1 << 20), "y"]), np.array([0, 1, 0, 0, 1, 0], np.int32))
    assert [len(each) for each in in_order([long], np.arange(6))] == [4, 2]
