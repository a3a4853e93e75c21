"""Ad events: renders, clicks, conversions and what they cost."""

from __future__ import annotations

from dataclasses import replace

from airtally.streams.declaration import Column, Kind, Stream, Type
from airtally.streams.rollup import QUARTER_US, Function, Measure, Rollup

#: As in release 0.1.0, which counted all events with an empty id as one and folded ids by Unicode's rules.
_BEFORE = Rollup(
    "ad_events_quarter",
    QUARTER_US,
    ("ad_group_id", "country"),
    (
        Measure("paid_clicks", Function.SUM, "count", ("kind", "paid_click")),
        Measure("global_renders", Function.SUM, "count", ("kind", "global_render")),
        Measure("global_conversions", Function.SUM, "count", ("kind", "global_conversion")),
        Measure("spend", Function.SUM, "spend"),
        Measure("events"),
    ),
    retention_days=731,
    mended=True,
)
_QUARTERS = replace(_BEFORE, mended=False, version=2, earlier=_BEFORE)

AD_EVENTS = Stream(
    name="ad_events",
    kind=Kind.EVENT,
    doc="Renders, clicks, conversions and installs of ad groups, and what they cost.",
    time="time",
    identity=("id",),
    entity=("ad_group_id",),
    retention_days=731,
    rollups=(_QUARTERS,),
    columns=(
        Column(
            "ad_group_id",
            Type.TEXT,
            "The group, matched whatever the case of the letters A to Z.",
            required=True,
            fold_case=True,
        ),
        Column("time", Type.TIME, "When it happened.", required=True),
        Column("id", Type.TEXT, "The same id on the same UTC day is the same event."),
        Column(
            "kind",
            Type.TEXT,
            "What happened.",
            required=True,
            choices=("paid_click", "global_render", "global_conversion", "install"),
        ),
        Column(
            "country",
            Type.TEXT,
            "ISO 3166 alpha-2 code of the country.",
            default="ZZ",
            pattern="[A-Z]{2}",
            pattern_says="2 capital letters",
        ),
        Column("count", Type.INT64, "How many events the row stands for.", default=1, minimum=0),
        Column(
            "spend",
            Type.DECIMAL,
            "Money of the whole row in the account's currency, of either sign; a refund is negative.",
        ),
    ),
)
