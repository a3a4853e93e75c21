from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.kit.errors import BadRequest
from airtally.kit.time import from_datetime
from airtally.vendors.slate.dates import item_text, moment, query_text

#: 2026-11-22T04:00:01Z
US = 1_795_320_001_000_000


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-22T04:00:01+00:00", "2026-11-22T04:00:01.123456+00:00", "2026-11-22T04:00:01 00:00"),
        *("2026-11-22T04:00:01Z", "2026-11-22T04:00:01.000Z", "2026-11-22T04:00:01.", "2026-11-22T04:00:01"),
        *("2026-11-22T01:00:01-03:00", "2026-11-22T09:45:01+05:45", "2026-11-22T09:45:01 05:45"),
        *("2026-11-22T04:00:01.123456789Z", "2026-11-21T16:00:01-12:00", "2026-11-22T18:00:01+14:00"),
    ],
)
def test_forms(text: str) -> None:
    assert moment("startDateTime", text) == US


def test_a_bare_date() -> None:
    assert moment("x", "2026-11-22") == US - 4 * 3_600_000_000 - 1_000_000


@pytest.mark.parametrize(
    "text", ["", "now", "2026-13-01", "2026-02-30", "2026-11-22T24:00:00Z", "2026-11-22T04:00:01 +00:00", "2026-11-22Z"]
)
def test_what_cannot_be_read(text: str) -> None:
    with pytest.raises(BadRequest, match="endDateTime"):
        moment("endDateTime", text)


@given(st.datetimes(timezones=st.timezones()))
def test_whatever_python_writes_is_read(when: object) -> None:
    text = when.isoformat()  # type: ignore[attr-defined]
    if len(text.rpartition("T")[2].replace("-", "+").rpartition("+")[2]) > 5:
        return  # an offset with seconds, of the days of local mean time
    whole = when.replace(microsecond=0)  # type: ignore[attr-defined]
    assert moment("x", text) == from_datetime(whole)


@given(st.text(max_size=40))
def test_anything_else_is_refused(text: str) -> None:
    with suppress(BadRequest):
        assert moment("x", text) % 1_000_000 == 0


def test_texts() -> None:
    assert query_text(US) == "2026-11-22T04:00:01Z"
    assert item_text(US) == "2026-11-22T04:00:01.000Z"
