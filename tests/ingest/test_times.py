from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airtally.ingest.times import FEW, parse_time, parse_times
from airtally.kit.time import from_datetime

offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(timezones=offsets)


def many(text: str, *, local: bool) -> int | None:
    """The column-wise parser's answer."""
    parsed = parse_times(pa.array([text] * FEW), local=local).cast(pa.int64()).to_pylist()
    assert len(set(parsed)) == 1
    return parsed[0]


@given(moments, st.sampled_from("Tt "))
def test_both_parsers_read_every_rfc_3339_time(moment: datetime, between: str) -> None:
    text = moment.isoformat(between)
    assert parse_time(text, local=False) == many(text, local=False) == from_datetime(moment)
    wall = from_datetime(moment.replace(tzinfo=UTC))
    assert parse_time(text, local=True) == many(text, local=True) == wall
    plain = moment.replace(tzinfo=None).isoformat(between)
    assert parse_time(plain, local=True) == many(plain, local=True) == wall
    assert parse_time(plain, local=False) is many(plain, local=False) is None


@given(
    st.from_regex(
        r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{0,9})?([Zz]|[+-][0-9]{2}:?[0-9]{0,2})?",
        fullmatch=True,
    )
)
@example("2024-02-29T00:00:00Z")
@example("2023-02-29T00:00:00Z")
@example("1900-02-29T00:00:00Z")
@example("2000-02-29T00:00:00Z")
@example("0000-01-01T00:00:00Z")
@example("2026-11-22T24:00:00Z")
@example("2026-11-22T23:59:60Z")
@example("2026-11-22T08:00:00.Z")
@example("2026-11-22T08:00:00.12+00")
@example("2026-11-22T08:00:00+0100")
@example("2026-11-22T08:00:00.123Z")
@example("2026-11-22T08:00:60.123Z")
@example("2026-11-22T08:00:00.12zZ")
@example("2026-02-30T08:00:00.123456Z")
@example("2026-11-22T08:00:00.123456+0")
@example("2026-11-22T08:00:00.1+0100")
@example("2026-11-22T08:00:00.1234567890123Z")
@example("2026-11-22T08:00:00\n")
@example("\u0662\u0660\u0662\u0666-11-22T08:00:00Z")
def test_both_parsers_judge_alike(text: str) -> None:
    for local in (False, True):
        assert parse_time(text, local=local) == many(text, local=local)


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    assert parse_time(text, local=True) == many(text, local=True)
    if not re.match(r"[0-9]{4}-", text):
        assert parse_time(text, local=True) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22T23:59:59.5", "2026-11-22T23:59:59.500000+00:00"),
        ("2026-11-22T23:59:59.5-03:00", "2026-11-22T23:59:59.500000+00:00"),
        ("2026-11-22 23:59:59.1234569", "2026-11-22T23:59:59.123456+00:00"),
    ],
)
def test_a_local_time_keeps_its_wall_clock_and_microseconds(text: str, expected: str) -> None:
    wanted = from_datetime(datetime.fromisoformat(expected))
    assert parse_time(text, local=True) == many(text, local=True) == wanted


def test_one_wrong_text_among_many_spoils_no_other() -> None:
    texts = ["2026-11-22T08:00:00Z"] * 200
    texts[77] = "2026-02-30T08:00:00Z"
    texts[78] = "2026-11-22T10:00:00+02:00"
    parsed = parse_times(pa.array(texts), local=False)
    assert parsed.null_count == 1
    assert not parsed[77].is_valid
    assert parsed[78] == parsed[0]
