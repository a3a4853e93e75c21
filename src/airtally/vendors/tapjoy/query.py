"""The four metrics of an ad group, as one question.

docs/vendors/tapjoy.md#5.
"""

from __future__ import annotations

import pyarrow as pa

from airtally.kit.time import SECOND_US
from airtally.query.buckets import Step
from airtally.query.question import BUCKET, Dimension, Function, Metric, Question
from airtally.sql.filters import Equals
from airtally.streams import AD_EVENTS
from airtally.vendors.tapjoy.params import InsightsParams

COUNTS = ("paid_clicks", "global_renders", "global_conversions")
SPEND = "installs_spend"

#: Installs are counted by none of them; the spend is that of rows of every kind.
METRICS = (
    *(Metric(name, Function.SUM, "count", Equals("kind", name.removesuffix("s"))) for name in COUNTS),
    Metric(SPEND, Function.SUM, "spend"),
)

#: The answer where no bucket has begun.
NOTHING = pa.table(
    {BUCKET: pa.array([], pa.int64()), "country": pa.array([], pa.string())}
    | {metric.name: pa.array([], pa.int64()) for metric in METRICS}
)


def question(account: str, ad_group_id: str, asked: InsightsParams) -> Question:
    """Figures by bucket (and country); a group of rows is in the answer even where its figures are all zero."""
    return Question(
        stream=AD_EVENTS,
        account=account,
        metrics=METRICS,
        dimensions=(Dimension("country"),) if asked.by_country else (),
        where=Equals("ad_group_id", ad_group_id),
        start_us=asked.start * SECOND_US,
        end_us=asked.end * SECOND_US,
        bucket=Step(asked.step * SECOND_US),
    )
