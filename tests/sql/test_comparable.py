"""The types that columns are compared in, and which values of callers fit them."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

from airtally.sql.comparable import decimal_text, listed_values, storable_text, type_of, whole_number
from airtally.sql.filters import Member
from airtally.streams import APP_EVENTS, PLAYLOGS
from airtally.streams.declaration import Type


def test_declared_columns_the_servers_and_members_have_a_type() -> None:
    assert type_of(PLAYLOGS, "played_at") is Type.LOCAL_TIME
    assert type_of(PLAYLOGS, "writer_id") is Type.TEXT
    assert type_of(PLAYLOGS, "sequence") is Type.INT64
    assert type_of(APP_EVENTS, Member("attributes", "m", Type.DECIMAL)) is Type.DECIMAL


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("machine", "stream playlogs has no column 'machine'"),
        ("day", "no column 'day'"),
        (Member("ip", "m"), "column ip of stream playlogs has no members"),
        (Member("nope", "m"), "no column 'nope'"),
    ],
)
def test_what_a_stream_does_not_have_is_named(name, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        type_of(PLAYLOGS, name)


def test_a_callers_text_is_repeated_in_part() -> None:
    with pytest.raises(ValueError, match="no column") as caught:
        type_of(PLAYLOGS, "x" * 10_000)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(("value", "number"), [(7, 7), ("-7", -7), (7.0, 7), (Decimal(10**30), 10**30)])
def test_whole_numbers_may_be_written_in_any_way(value, number) -> None:
    assert whole_number("player_id", value) == number
    assert type(whole_number("player_id", value)) is int


@pytest.mark.parametrize("value", [True, 1.5, "1.5", "", "many", Decimal("0.1")])
def test_what_is_no_whole_number_is_refused(value) -> None:
    with pytest.raises(ValueError, match=r"whole numbers|invalid literal"):
        whole_number("player_id", value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("1.50", "1.50"),
        (3, "3"),
        (1e-6, "0.000001"),
        (Decimal("-1e11"), "-100000000000"),
        ("0." + "0" * 39 + "1", None),
    ],
)
def test_decimals_are_written_in_digits(value, text) -> None:
    """Never with an exponent, which an engine would read as a double; with up to 40 places."""
    assert decimal_text("spend", value) == (text or value)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("much", "decimal numbers, not 'much'"),
        (True, "decimal numbers"),
        ("NaN", "at most 12 digits"),
        (float("inf"), "at most 12 digits"),
        (10**12, "at most 12 digits"),
        ("0." + "0" * 40 + "1", "at most 12 digits"),
    ],
)
def test_decimals_larger_or_finer_than_any_stored_one_are_refused(value, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        decimal_text("spend", value)


def test_a_member_read_as_a_decimal_may_have_36_digits() -> None:
    member = Member("attributes", "m", Type.DECIMAL)
    assert decimal_text(member, 10**36 - 1) == "9" * 36
    with pytest.raises(ValueError, match="at most 36 digits"):
        decimal_text(member, 10**36)


def test_half_of_a_surrogate_pair_is_no_text() -> None:
    assert storable_text("é😀") == "é😀"
    assert storable_text(7) == "7"
    with pytest.raises(UnicodeEncodeError):
        storable_text("\ud800")


@pytest.mark.parametrize(
    ("kind", "values", "listed"),
    [
        (Type.INT64, (3, "1", 3.0), pa.array([1, 3], pa.int64())),
        (Type.DOUBLE, (2, 0.5, 2.0), pa.array([0.5, 2.0])),
        (Type.TEXT, ("b", "a", "b"), pa.array(["a", "b"])),
        (Type.TEXT, (), pa.array([], pa.string())),
    ],
)
def test_listed_values_are_distinct_in_order_and_of_the_columns_type(kind, values, listed) -> None:
    assert listed_values("x", kind, values).equals(listed)


def test_listed_decimals_are_of_the_columns_type() -> None:
    listed = listed_values("spend", Type.DECIMAL, ("1.5", 1.50, "-2"))
    assert listed.type == Type.DECIMAL.arrow
    assert listed.to_pylist() == [Decimal(-2), Decimal("1.5")]


def test_one_wrong_value_refuses_the_list() -> None:
    with pytest.raises(ValueError, match="whole numbers"):
        listed_values("player_id", Type.INT64, (1, 1.5))
