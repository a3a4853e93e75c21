"""Which texts are cron expressions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airtally.schedules.cron import CronExpression


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("0 6 * * MON-FRI", "0 6 * * MON-FRI"),
        ("  */15   *  * * * ", "*/15 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@Hourly", "0 * * * *"),
        ("0 0 L * *", "0 0 L * *"),
        ("0 9 * * mon#1", "0 9 * * mon#1"),
    ],
)
def test_expressions(text: str, kept: str) -> None:
    assert CronExpression.parse(text).text == kept


@pytest.mark.parametrize(
    "text",
    [
        *("", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8", "@reboot"),
        *(
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "1,, * * * *",
            "-1 * * * *",
            "0 0 30 2 *",
            "٣ * * * *",
            "0 0 * * 5L/2",
        ),
        *("0 " * 200, "1" * 150 + " * * * *", "\0 * * * *", "0 0 * * 1#6", "0 0 31 4,6 *"),
    ],
)
def test_what_is_none_is_said_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"cron expression|no day matches") as refused:
        CronExpression.parse(text)
    assert len(str(refused.value)) < 400


@given(text=st.text(alphabet="0123456789*/,-#LW MONJA", max_size=40))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        found = CronExpression.parse(text)
    except ValueError:
        return
    assert next(found.walls(0)) % 60_000_000 == 0


@pytest.mark.parametrize(
    ("text", "by_interval"),
    [("*/15 * * * *", True), ("0 * * * *", True), ("* 6 * * *", True), ("0 */2 * * *", True), ("0 6 * * *", False)],
)
def test_intervals_and_times_of_the_clock(text: str, by_interval: bool) -> None:
    assert CronExpression.parse(text).by_interval is by_interval
