"""Whatever the rows, the question and the machine's zone, and wherever the rows lie, the answer is a plain count."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from airtally.background import rebuilder_of
from airtally.engine.child_process import InProcess
from airtally.rollups import rebuild
from airtally.storage.lake.compaction import EAGER, Compactor
from airtally.streams import AD_EVENTS
from fixtures.insights import A1, Advertiser
from fixtures.zones import ZONES, during

HOUR = timedelta(hours=1)
NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
FIRST = datetime(2026, 11, 18, tzinfo=UTC)
SERIES = {
    "paid_click": "paid_clicks",
    "global_render": "global_renders",
    "global_conversion": "global_conversions",
}
SPEND = "installs_spend"

Row = dict[str, Any]

rows = st.fixed_dictionaries(
    {
        "after": st.integers(0, 5 * 24 * 3_600_000_000),
        "kind": st.sampled_from([*SERIES, "install"]),
        "country": st.sampled_from(["US", "CA", "BR", None]),
        "count": st.sampled_from([None, 0, 1, 2, 1000]),
        "spend": st.none() | st.decimals(-2, 2, places=6).map(lambda spend: format(spend, "f")),
        "id": st.sampled_from([None, None, "e1", "e2"]),
    }
)


@st.composite
def questions(draw: st.DrawFn) -> tuple[datetime, datetime, str, bool]:
    """Whole hours, each end in an offset of its own."""
    start = FIRST + HOUR * draw(st.integers(-30, 110))
    end = start + HOUR * draw(st.integers(1, 60))
    zones = [timezone(HOUR * draw(st.integers(-12, 14))) for _ in range(2)]
    increment = draw(st.sampled_from(["hourly", "daily"]))
    return start.astimezone(zones[0]), end.astimezone(zones[1]), increment, draw(st.booleans())


def stored(row: Row, group: str) -> Row:
    """The row as it is sent."""
    time = FIRST + timedelta(microseconds=row["after"])
    sent = {name: row[name] for name in ("kind", "country", "count", "spend", "id") if row[name] is not None}
    if "id" in sent:
        sent["id"] = f"{sent['id']}-{group}"
    return sent | {"ad_group_id": group, "time": time.isoformat()}


def last_received(sent: Sequence[Row]) -> list[Row]:
    """Rows with one id on one UTC day are one event."""
    events: dict[Any, Row] = {}
    for place, row in enumerate(sent):
        day = datetime.fromisoformat(row["time"]).date()
        events[(row["id"], day) if "id" in row else place] = row
    return list(events.values())


def counted(sent: Sequence[Row], start: datetime, end: datetime, increment: str, by_country: bool) -> dict[str, Any]:
    """The object `insights`, row by row."""
    step = HOUR * (24 if increment == "daily" else 1)
    starts = [start + step * place for place in range((end - start + step - HOUR) // step)]
    starts = [each for each in starts if each <= NOW]
    until = min(end, starts[-1] + step) if starts else start
    within = [row for row in last_received(sent) if start <= datetime.fromisoformat(row["time"]) < until]
    groups = {row.get("country", "ZZ") for row in within} if by_country else {None}
    found: dict[Any, Any] = {}
    for group in groups:
        mine = [row for row in within if group is None or row.get("country", "ZZ") == group]
        series: dict[str, Any] = {name: [] for name in (*SERIES.values(), SPEND)}
        for begin in starts:
            rows = [row for row in mine if begin <= datetime.fromisoformat(row["time"]) < begin + step]
            stamp = int(begin.timestamp())
            for kind, name in SERIES.items():
                series[name].append([stamp, sum(row.get("count", 1) for row in rows if row["kind"] == kind)])
            spend = -sum((Decimal(row.get("spend", "0")) for row in rows), Decimal(0))
            series[SPEND].append([stamp, float(spend.quantize(Decimal("0.01"), ROUND_HALF_UP))])
        found[group] = series
    return found if by_country else dict(found[None])


def lay_out(network: Advertiser, group: str, parts: tuple[list[Row], ...], rebuilt_after: int) -> list[Row]:
    """Compacted, flushed and buffered rows, with rollups made after one of them or never; the rows as sent."""
    services = network.server.services
    network.send("ad_groups", A1 | {"ad_group_id": group})
    sent: list[Row] = []
    for place, part in enumerate(parts):
        new = [stored(row, group) for row in part]
        if new:
            network.send("ad_events", *new)
        sent += new
        if place < 2:
            services.storage.event_store.flush()
        if place == 0:
            Compactor(services.storage.lake.table(AD_EVENTS), InProcess()).run(EAGER)
        if place == rebuilt_after:
            rebuilder_of(services).rebuild(services.storage.lake.table(AD_EVENTS), AD_EVENTS.rollups[0], rebuild.EAGER)
    return sent


@settings(max_examples=15, deadline=None)
@given(
    compacted=st.lists(rows, max_size=8),
    fresh=st.lists(rows, max_size=8),
    buffered=st.lists(rows, max_size=8),
    asked=st.lists(questions(), min_size=1, max_size=4),
    rebuilt_after=st.integers(0, 3),
    machine=st.sampled_from(ZONES),
)
def test_the_answer_is_a_plain_count(
    fixture_accounts: tuple[Advertiser, Advertiser],
    compacted: list[Row],
    fresh: list[Row],
    buffered: list[Row],
    asked: list[tuple[datetime, datetime, str, bool]],
    rebuilt_after: int,
    machine: str,
) -> None:
    network, group = fixture_accounts[0], secrets.token_hex(6)
    with during(machine):
        sent = lay_out(network, group, (compacted, fresh, buffered), rebuilt_after)
        for start, end, increment, by_country in asked:
            window = f"start_time={quote(start.isoformat())}&end_time={quote(end.isoformat())}"
            query = f"{window}&time_increment={increment}&breakdowns={'country_code' if by_country else ''}"
            assert network.insights(query, group) == counted(sent, start, end, increment, by_country), query
