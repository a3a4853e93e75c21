"""Counts of viewers by app, stream and bucket of time: one question to the samples.

docs/vendors/scaleengine.md#3, #4, #5.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from airtally.accounts.accounts import Account
from airtally.kit.quality import quality_headers
from airtally.kit.time import DAY_US
from airtally.query.question import Dimension, Function, Metric, Question
from airtally.services import Services
from airtally.sql.filters import AllOf, AnyOf, Filter, Like, OneOf
from airtally.streams import VIEWER_APPS, VIEWER_SAMPLES
from airtally.vendors.scaleengine.params import Apps, ViewerLogParams
from airtally.vendors.scaleengine.windows import SampleRetention, longest, window_of

#: Figures of this form, over any servers, are kept ready by the minute, hour and day.
METRICS = (
    Metric("samples"),
    Metric("sum", Function.SUM, "viewers"),
    Metric("min", Function.MIN, "viewers"),
    Metric("max", Function.MAX, "viewers"),
)
DIMENSIONS = (Dimension("app"), Dimension("video_url"))


@dataclass(frozen=True, slots=True)
class ViewerCounts:
    """`table`: a row for each app, stream and bucket with a sample, in no order; None where none can be."""

    table: pa.Table | None
    headers: dict[str, str]


def viewers(services: Services, account: Account, asked: ViewerLogParams) -> ViewerCounts:
    """Blocks. Raises LimitExceeded."""
    now_us = services.clock.now_us()
    settings = services.settings
    days = settings.retention
    minutes = days["viewer_samples_minute"], days[VIEWER_SAMPLES.name]
    kept = SampleRetention(longest(minutes), days["viewer_samples_hour"])
    window = window_of(asked.graph, asked.start_us, now_us=now_us, kept=kept)
    names = () if window.empty else _app_names(services, account, asked.apps)
    if not names:
        return ViewerCounts(None, quality_headers(data_through_us=None, generated_at_us=now_us, timezone="UTC"))
    question = Question(
        stream=VIEWER_SAMPLES,
        account=account.slug,
        metrics=METRICS,
        dimensions=DIMENSIONS,
        where=_condition(names, asked),
        start_us=window.start_us,
        end_us=window.end_us,
        bucket=window.bucket,
    )
    answer = services.queries.answer(question)
    return ViewerCounts(
        answer.table,
        quality_headers(
            data_through_us=answer.data_through_us, generated_at_us=answer.generated_at_us, timezone=answer.timezone
        ),
    )


def _condition(apps: tuple[str, ...], asked: ViewerLogParams) -> Filter:
    parts: list[Filter] = [OneOf("app", apps)]
    if asked.exact or asked.patterns:
        exact = (OneOf("video_url", asked.exact),) if asked.exact else ()
        parts.append(AnyOf((*exact, *(Like("video_url", pattern) for pattern in asked.patterns))))
    if asked.servers:
        parts.append(OneOf("server", asked.servers))
    return AllOf(tuple(parts))


def _app_names(services: Services, account: Account, apps: Apps) -> tuple[str, ...]:
    """A name stands for itself, declared or not; digits for the app of that name, else for that of the number."""
    names = set(apps.names | apps.digits)
    if apps.ids or apps.digits:
        known = services.queries.known(VIEWER_APPS, account.slug)
        unknown = {text for text in apps.digits if text not in known}
        numbers = apps.ids | {int(text) for text in unknown - _sampled(services, account, unknown)}
        ids = pa.array([each for each in numbers if 0 <= each < 1 << 63], pa.int64())
        names.update(known.table.filter(pc.is_in(known.table["app_id"], value_set=ids))["app"].to_pylist())
    return tuple(sorted(names))


def _sampled(services: Services, account: Account, names: set[str]) -> set[str]:
    """Those of the names that samples made an app of, also where the rows have left."""
    if not names:
        return set()
    question = Question(
        VIEWER_SAMPLES,
        account.slug,
        (Metric("samples"),),
        (Dimension("app"),),
        OneOf("app", tuple(sorted(names))),
        start_us=0,
        end_us=(services.clock.now_us() // DAY_US + 2) * DAY_US,
    )
    return set(services.queries.answer(question).table["app"].to_pylist())
