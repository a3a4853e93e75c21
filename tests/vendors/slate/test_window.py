from __future__ import annotations

from airtally.vendors.slate.window import ListingWindow, window

#: 2026-11-22T10:00:00Z
NOW_US = 1_795_341_600_000_000
DAY_US = 86_400_000_000
OLDEST_US = NOW_US - 730 * DAY_US


def test_without_bounds() -> None:
    assert window({}, NOW_US + 999_999) == ListingWindow(OLDEST_US, NOW_US)


def test_never_later_than_now() -> None:
    assert window({"endDateTime": "2030-01-01"}, NOW_US).end_us == NOW_US


def test_a_start_before_what_is_kept() -> None:
    assert window({"startDateTime": "2023-01-01"}, NOW_US).start_us == OLDEST_US


def test_the_limit_of_the_first_page_holds_for_the_others() -> None:
    first = window({}, NOW_US)
    later = NOW_US + 3_600_000_000
    assert window(first.filters(), later) == first
    assert window(first.filters(), later + 1_000_000).start_us > first.start_us


def test_bounds_that_cross_hold_nothing() -> None:
    for query in (
        {"startDateTime": "2026-11-22T09:00:00Z", "endDateTime": "2026-11-22T08:00:00Z"},
        {"startDateTime": "9999-12-31"},
        {"endDateTime": "0001-01-01"},
    ):
        found = window(query, NOW_US)
        assert found.start_us > found.end_us
        assert len(found.filters()) == 2
