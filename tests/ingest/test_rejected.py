"""Rejected rows as they are stored."""

from __future__ import annotations

import random

import pytest

from airtally.ingest.rejected import RejectedRow, packed_errors, packed_rows, rejected, unpacked_rows
from airtally.ingest.row_errors import RowError


def error(line: int, raw: bytes = b"{}", row: bytes | None = None) -> RowError:
    return RowError(line=line, field="player_id", error="must be a whole number", raw=raw, row=row)


@pytest.mark.parametrize(
    ("row", "form", "kept"), [(None, "raw", None), (b'{"a":1}', "row", '{"a":1}'), (b"", "none", None)]
)
def test_the_form_says_what_resending_reads(row: bytes | None, form: str, kept: str | None) -> None:
    found = rejected(error(3, b"a;b", row))
    assert (found.line, found.field, found.raw, found.form, found.row) == (3, "player_id", "a;b", form, kept)


@pytest.mark.parametrize("raw", [b"", "é".encode(), b"\xff\x00", b"line\nfeed"])
def test_a_row_is_given_back_as_it_was_received(raw: bytes) -> None:
    (found,) = unpacked_rows(packed_rows([rejected(error(1, raw))]))
    assert found.received == raw
    assert found == rejected(error(1, raw))


def test_rows_keep_their_order_beyond_one_step() -> None:
    rows = [RejectedRow(line, None, "wrong", "{}") for line in range(4_500)]
    assert list(unpacked_rows(packed_rows(rows))) == rows
    assert list(unpacked_rows(packed_rows([]))) == []


def test_as_many_errors_are_packed_as_there_is_room_for() -> None:
    """Of rows that a codec can do little with; at least nine tenths of what fits."""
    chance = random.Random(7)
    errors = [error(line, chance.randbytes(100)) for line in range(3_000)]
    whole = len(packed_rows(map(rejected, errors)))
    count, content = packed_errors(errors, whole // 2)
    assert len(content) <= whole // 2
    assert 0.8 * 1_500 < count <= 1_550
    assert [each.line for each in unpacked_rows(content)] == list(range(count))
    assert packed_errors(errors, whole + 100)[0] == 3_000


@pytest.mark.parametrize("room", [0, -5, 3])
def test_without_room_none_is_packed(room: int) -> None:
    assert packed_errors([error(1)], room) == (0, b"")
