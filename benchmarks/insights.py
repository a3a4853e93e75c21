"""Questions to Tapjoy's insights, and the same by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa

from airtally.demo.ad_groups import ad_groups
from benchmarks.kept import Kept
from benchmarks.raw import ONCE, Raw, midnight
from benchmarks.server import Answer, Caller

DAYS = 30
METRICS = ("paid_clicks", "global_renders", "global_conversions", "installs_spend")

#: What one writes who knows the table. Compacted files hold no repeats, so none are looked for.
BY_HAND = """
    SELECT country, epoch_us(time) // 3600000000 * 3600 AS at,
        coalesce(sum(count) FILTER (kind = 'paid_click'), 0)::BIGINT AS paid_clicks,
        coalesce(sum(count) FILTER (kind = 'global_render'), 0)::BIGINT AS global_renders,
        coalesce(sum(count) FILTER (kind = 'global_conversion'), 0)::BIGINT AS global_conversions,
        -coalesce(sum(spend), 0)::DOUBLE AS installs_spend
    FROM {rows} WHERE ad_group_id = $ad_group AND time >= $start AND time < $end
    GROUP BY ALL
"""
#: The same where late rows have come since.
BY_HAND_ONCE = BY_HAND.replace("{rows}", f"({ONCE})")


@dataclass(frozen=True)
class Question:
    """Thirty whole days of one ad group, hourly by country."""

    ad_group: str
    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=DAYS)

    @property
    def path(self) -> str:
        times = {"start_time": f"{self.start:%Y-%m-%dT%H:%M:%SZ}", "end_time": f"{self.end:%Y-%m-%dT%H:%M:%SZ}"}
        query = times | {"time_increment": "hourly", "breakdowns": "country_code"}
        return f"/v1/ad_groups/{self.ad_group}/insights?{urlencode(query)}"

    def by_hand(self, raw: Raw, sql: str = BY_HAND) -> tuple[float, pa.Table]:
        parameters = {"ad_group": self.ad_group, "start": self.start, "end": self.end}
        return raw.ask(sql, raw.files(self.start, self.end), parameters)


def questions(kept: Kept, groups: int, count: int, back: int) -> list[Question]:
    """Random groups, thirty days that end up to `back` days before the data does."""
    chance = random.Random(count)
    ids = [group.id for group in ad_groups(1, groups)]
    last = midnight(kept.end_day) + timedelta(days=1 - DAYS)
    return [Question(chance.choice(ids), last - timedelta(days=chance.randrange(back))) for _ in range(count)]


def bearer(caller: Caller, kept: Kept) -> dict[str, str]:
    """Headers with a new access token."""
    key = kept.keys["tapjoy"]["reporting_api_key"]
    answer = caller.ask("POST", "/v1/oauth2/token", {"Authorization": f"Basic {key}"}, b"")
    if answer.status != 200:
        raise RuntimeError(f"the token was answered {answer.status}: {answer.text!r}")
    return {"Authorization": f"Bearer {answer.content['access_token']}"}


def asked(caller: Caller, question: Question, headers: dict[str, str]) -> Answer:
    """Raises RuntimeError for anything but an answer."""
    answer = caller.ask("GET", question.path, headers)
    if answer.status != 200:
        raise RuntimeError(f"{question} was answered {answer.status}: {answer.text[:500]!r}")
    return answer


def check(question: Question, answer: Any, found: pa.Table) -> None:
    """Raises RuntimeError where an answer is not what was found by hand."""
    [(_, body)] = answer["data"].items()
    told = {
        (country, at): tuple(series[name][place][1] for name in METRICS)
        for country, series in body["insights"].items()
        for place, (at, _) in enumerate(series[METRICS[0]])
        if any(series[name][place][1] for name in METRICS)
    }
    columns = [found.column(name).to_pylist() for name in ("country", "at", *METRICS)]
    wanted = {(country, at): values for country, at, *values in zip(*columns, strict=True) if any(values)}
    same = told.keys() == wanted.keys() and all(_near(told[each], wanted[each]) for each in told)
    if not same:
        raise RuntimeError(f"{question}: {len(told)} points told, {len(wanted)} found, or their values differ")


def _near(told: tuple[float, ...], wanted: list[float]) -> bool:
    return all(abs(left - right) < 0.006 for left, right in zip(told, wanted, strict=True))
