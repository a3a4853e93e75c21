from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.reports.requests import PlayFilter
from airtally.vendors.fouryousee.errors import InvalidReport
from airtally.vendors.fouryousee.params import read_report_request

DAY = {"startDate": "2026-10-01", "endDate": "2026-10-01"}


def read(body: Any) -> Any:
    return read_report_request(msgspec.json.encode(body))


def problems(body: Any) -> list[str]:
    with pytest.raises(InvalidReport) as failed:
        read_report_request(body if isinstance(body, bytes) else msgspec.json.encode(body))
    return failed.value.problems


def test_what_is_left_out_is_filled_in() -> None:
    asked = read({"filter": DAY})
    assert (asked.type, asked.format, asked.webhook) == ("detailed", "json", None)
    assert msgspec.json.encode(asked.filter) == (
        b'{"startDate":"2026-10-01","startTime":"00:00:00","endDate":"2026-10-01","endTime":"23:59:59",'
        b'"mediaId":[],"playerId":[],"sort":-1}'
    )


def test_everything_given() -> None:
    asked = read(
        {
            "type": "detailed",
            "webhook": "http://hooks.example:8080/a?b=c",
            "sort": 7,
            "unknown": {"x": [None]},
            "filter": DAY
            | {"startTime": "08:30", "endTime": "09:00:01", "mediaId": ["48", 51], "playerId": None, "sort": 1, "x": 1},
        }
    )
    assert asked.webhook == "http://hooks.example:8080/a?b=c"
    assert asked.filter == PlayFilter("2026-10-01", "08:30:00", "2026-10-01", "09:00:01", (48, 51), (), 1)


@pytest.mark.parametrize(
    "body", [b"not json", b"", b"[]", b"null", b'"x"', b"{", b'{"a":NaN}', b"\xff", b"[" * 100_000]
)
def test_bodies_that_are_no_object(body: bytes) -> None:
    assert problems(body)[0].startswith("The body must be")


@pytest.mark.parametrize("body", [{}, {"filter": []}, {"filter": None}, {"filter": "x"}])
def test_the_filter_is_required(body: Any) -> None:
    assert problems(body) == ["filter is required and must be an object"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("startDate", value) for value in ("2026-02-30", "2026-2-3", "01/10/2026", "", None, 20261001, "٢٠٢٦-10-01")),
        *(("endDate", value) for value in ("9999-12-31", "0000-01-01", "2026-10-01T00:00:00", "2026-10-01 ")),
        *(("startTime", value) for value in (":00", "24:00:00", "8:00", "08:60", "08:00:60", "", None, 8, "08:00:00.5")),
        *(("endTime", value) for value in ("23:59:59Z", "-1:00", [], "08-00")),
        *(("mediaId", value) for value in (48, "48", ["x"], [1.5], [None], [True], [[1]], {}, [2**63], ["-1"], [""])),
        *(("playerId", value) for value in (False, [-(2**63) - 1], ["1 "], ["9" * 19], ["٣"])),
        *(("sort", value) for value in (2, 0, "-1", None, True, -1.0, [])),
    ],
)  # fmt: skip
def test_a_field_that_breaks_its_rule_is_named(field: str, value: Any) -> None:
    [problem] = problems({"filter": DAY | {field: value}})
    assert problem.startswith(f"filter.{field} must be ")


def test_every_problem_is_told() -> None:
    assert problems({"type": "summary", "webhook": "ftp://x", "filter": {"sort": 2}}) == [
        "type must be detailed",
        "webhook must be an absolute http or https URL",
        "filter.startDate must be a date such as 2026-10-01",
        "filter.endDate must be a date such as 2026-10-01",
        "filter.sort must be -1 or 1",
    ]


@pytest.mark.parametrize(
    "webhook", ["ftp://x", "x", "/x", "http://", 7, ["http://x"], {}, True, "http://x/" + "a" * 3000]
)
def test_webhooks_that_are_none(webhook: Any) -> None:
    assert problems({"webhook": webhook, "filter": DAY}) == ["webhook must be an absolute http or https URL"]


@pytest.mark.parametrize("webhook", ["", None])
def test_an_empty_webhook_is_no_webhook(webhook: Any) -> None:
    assert read({"webhook": webhook, "filter": DAY}).webhook is None


@pytest.mark.parametrize(
    ("start", "end", "problem"),
    [
        ("2026-10-01 00:00:00", "2026-10-31 23:59:59", None),
        ("2026-10-01 23:59:59", "2026-11-01 00:00:00", "The maximum interval is 30 days"),
        ("2026-10-02 00:00:00", "2026-10-02 00:00:00", None),
        ("2026-10-02 00:00:01", "2026-10-02 00:00:00", "The end of the interval is before its start"),
        ("2026-10-02 00:00:00", "2026-10-01 23:59:59", "The end of the interval is before its start"),
        ("2099-01-01 00:00:00", "2099-01-01 23:59:59", None),
    ],
)
def test_the_interval(start: str, end: str, problem: str | None) -> None:
    asked = {"startDate": start[:10], "startTime": start[11:], "endDate": end[:10], "endTime": end[11:]}
    if problem:
        assert problems({"filter": asked}) == [problem]
    else:
        assert read({"filter": asked}).filter.start_date == start[:10]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
FIELDS = ("startDate", "startTime", "endDate", "endTime", "mediaId", "playerId", "sort")


@given(st.binary() | st.builds(msgspec.json.encode, JSON))
def test_any_body_is_answered(body: bytes) -> None:
    assert problems(body)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("type", "webhook"), JSON)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON)),
)
def test_any_value_in_any_field_is_answered(top: dict[str, Any], asked: dict[str, Any]) -> None:
    try:
        body = msgspec.json.encode(top | {"filter": DAY | asked})
    except (UnicodeEncodeError, OverflowError):
        return
    try:
        request = read_report_request(body)
    except InvalidReport:
        return
    assert request.filter.start_us < request.filter.end_us
    assert request.filter.start_us < request.filter.end_us
