"""The order of rows in memory is the one that Python's tuples have."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from airtally.kit.time import to_datetime
from airtally.query.line_order import order_by

WRITERS = ["", "m1", "m2", "M1", "é", "😀", "\uffff"]
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(WRITERS), st.integers(-9, 9)),
    min_size=1,
    max_size=50,
    unique=True,
)
NAMES = ["second", "received_at", "writer_id", "sequence"]
TYPES = [pa.int64(), pa.timestamp("us", "UTC"), pa.string(), pa.int64()]


def table(rows: list[tuple[int | None, int, str, int]]) -> pa.Table:
    columns = [list(each) for each in zip(*rows, strict=True)]
    columns[1] = [to_datetime(each) for each in columns[1]]
    return pa.table([pa.array(values, kind) for values, kind in zip(columns, TYPES, strict=True)], names=NAMES)


@given(rows=ROWS, descending=st.booleans(), keys=st.permutations(NAMES))
def test_the_order_of_tuples_with_texts_compared_by_their_bytes(rows, descending, keys) -> None:
    def key(at: int) -> tuple[object, ...]:
        values = dict(zip(NAMES, rows[at], strict=True)) | {"writer_id": rows[at][2].encode()}
        return tuple(values[name] for name in keys)

    found = order_by(pa.concat_tables([table(rows[:1]), table(rows).slice(1)]), keys, descending=descending)
    assert found is not None
    assert list(found) == sorted(range(len(rows)), key=key, reverse=descending)


def test_the_place_of_a_null_is_not_told() -> None:
    assert order_by(table([(None, 1, "m", 1)]), NAMES, descending=False) is None
