"""getEventStatistics and its results: docs/vendors/pushwoosh.md#3, #4, #5."""

from __future__ import annotations

import re
from typing import Any

import pytest

from fixtures.push import BOTH, Push, fault, where

MIDNIGHT, ONE_O_CLOCK, LAST = "2026-03-10 00:00", "2026-03-10 13:00", "2026-03-11 23:00"
PUSHED = {MIDNIGHT: 1, ONE_O_CLOCK: 1}


def test_row_01_scheduling_answers_an_id(push: Push) -> None:
    answer = push.events_of()
    assert (answer["status_code"], answer["status_message"]) == (200, "OK")
    assert list(answer["response"]) == ["request_id"]
    assert re.fullmatch(r"DC1_[0-9a-f]{32}", answer["response"]["request_id"])
    assert push.events_of()["response"] != answer["response"]


def test_row_02_one_day_has_24_rows(push: Push) -> None:
    rows = push.rows()
    assert [row["date"] for row in rows] == [f"2026-03-10 {hour:02}:00" for hour in range(24)]
    assert {row["date"]: row["count"] for row in rows if row["count"]} == {MIDNIGHT: 2, ONE_O_CLOCK: 1}


def test_row_03_both_end_days_are_complete(push: Push) -> None:
    rows = push.rows(**BOTH)
    assert (len(rows), rows[-1], sum(row["count"] for row in rows)) == (48, {"date": LAST, "count": 1}, 4)


def test_row_04_an_event_that_never_was_has_zeros(push: Push) -> None:
    assert [row["count"] for row in push.rows(event="Never")] == [0] * 24


def test_row_05_equal(push: Push) -> None:
    assert push.counts(where("source", "EQ", "push")) == PUSHED


def test_row_06_operators_in_small_letters(push: Push) -> None:
    assert push.counts(where("source", "eq", "push")) == PUSHED


def test_row_07_one_of(push: Push) -> None:
    assert sum(push.counts(where("source", "IN", "push", "mail"), **BOTH).values()) == 3


def test_row_08_not_equal_is_present(push: Push) -> None:
    assert push.counts(where("source", "NOTEQ", "push"), **BOTH) == {MIDNIGHT: 1}


def test_row_09_not_set(push: Push) -> None:
    assert push.counts(where("source", "NOTSET"), **BOTH) == {LAST: 1}


def test_row_10_any(push: Push) -> None:
    assert sum(push.counts(where("source", "ANY"), **BOTH).values()) == 3


def test_row_11_between(push: Push) -> None:
    assert push.counts(where("items", "BETWEEN", 4, 9)) == PUSHED


def test_row_12_all_conditions_hold(push: Push) -> None:
    assert push.counts(where("source", "EQ", "push"), where("items", "GTE", 5)) == {ONE_O_CLOCK: 1}


def test_row_13_a_boolean_as_number(push: Push) -> None:
    for value in (1, True, "true", "TRUE"):
        assert push.counts(where("vip", "EQ", value)) == {MIDNIGHT: 1}


def test_row_14_too_few_values(push: Push) -> None:
    assert push.events_of(attributes=[where("items", "BETWEEN", 4)]) == fault("Invalid attribute values")


def test_row_15_operators_that_do_not_suit(push: Push) -> None:
    for operator in ("GTE", "LIKE"):
        assert push.events_of(attributes=[where("source", operator, "a")]) == fault("Unknown operator")


def test_row_16_an_undeclared_attribute(push: Push) -> None:
    assert push.events_of(attributes=[where("colour", "EQ", "red")]) == fault("Attribute not found")


def test_row_17_no_conditions(push: Push) -> None:
    assert push.rows(attributes=[]) == push.rows()


def test_row_18_events_are_named_exactly(push: Push) -> None:
    for event in ("cartopen", " CartOpen", "", None, 7, "CartOpen\0"):
        assert push.events_of(event=event) == fault("Event not found")


@pytest.mark.parametrize(
    "dates",
    [
        {"date_from": "2026-02-30"},
        {"date_to": None},
        {"date_from": ""},
        {"date_from": 1773100800},
        {"date_to": "10.03.2026"},
        {"date_to": "2026-03-10 24:00"},
        {"date_to": "2026-03-10T12"},
        {"date_to": "2026-03-10 12:00Z"},
        {"date_to": "10000-01-01"},
        {"date_to": "٢٠٢٦-03-10"},
        {"date_to": None, "dateto": "2026-03-10"},
    ],
)
def test_row_19_dates_that_are_none(push: Push, dates: dict[str, Any]) -> None:
    assert push.events_of(**dates) == fault("Cannot parse date")


def test_row_20_dates_in_the_wrong_order(push: Push) -> None:
    asked = {"date_from": "2026-03-11", "date_to": "2026-03-10"}
    assert push.events_of(**asked) == fault("date_from is after date_to")


def test_row_21_times_are_cut_to_their_hour(push: Push) -> None:
    expected = [("2026-03-10 12:00", 0), (ONE_O_CLOCK, 1), ("2026-03-10 14:00", 0)]
    for start, end in (("12:30", "14:00"), ("12:59:59", "14:30:01")):
        for separator in " T":
            rows = push.rows(date_from=f"2026-03-10{separator}{start}", date_to=f"2026-03-10{separator}{end}")
            assert [(row["date"], row["count"]) for row in rows] == expected


def test_the_longest_period(push: Push) -> None:
    rows = push.rows(date_from="2024-01-01", date_to="2026-12-31")
    assert (len(rows), sum(row["count"] for row in rows)) == (26304, 4)
    assert push.events_of(date_from="2024-01-01", date_to="2027-01-01") == fault("Period is too long")


def test_days_to_come_count_nothing(push: Push) -> None:
    assert push.counts(date_from="2030-01-01", date_to="2030-01-02") == {}


def test_the_first_fault_is_told(push: Push) -> None:
    broken: dict[str, Any] = {"attributes": "none", "date_from": "x", "event": "x", "application": "x", "auth": "x"}
    for name, message in (
        ("auth", "Account not found"),
        ("application", "Application not found"),
        ("event", "Event not found"),
        ("date_from", "Cannot parse date"),
        ("attributes", "attributes must be an array"),
    ):
        assert push.events_of(**broken) == fault(message)
        del broken[name]


def test_an_answer_says_how_good_it_is(push: Push) -> None:
    asked = push.events_of()["response"]
    push.results(asked["request_id"])
    headers = push.post("getResults", json={"request": {"auth": push.token} | asked}).headers
    assert headers["airtally-timezone"] == "UTC"
    assert headers["airtally-generated-at"] == headers["airtally-data-through"] == "2026-11-02T09:15:00.000000Z"


@pytest.mark.parametrize(
    ("day", "first"),
    [("0001-01-01", "0001-01-01 00:00"), ("9999-12-31", "9999-12-31 00:00"), ("1582-10-10", "1582-10-10 00:00")],
)
def test_dates_at_the_ends_of_the_calendar(push: Push, day: str, first: str) -> None:
    rows = push.rows(date_from=day, date_to=day)
    assert (len(rows), rows[0]) == (24, {"date": first, "count": 0})
    assert push.rows(date_from=f"{day} 23:59", date_to=f"{day} 23:59:59")[0]["count"] == 0


@pytest.mark.parametrize(
    "dates", [("0000-12-31", "0001-01-01"), ("10000-01-01", "10000-01-02"), ("0001-01-01", "9999-12-31")]
)
def test_dates_that_no_calendar_has_and_periods_too_long(push: Push, dates: tuple[str, str]) -> None:
    answer = push.events_of(date_from=dates[0], date_to=dates[1])
    assert (answer["status_code"], answer["response"]) == (210, None)
