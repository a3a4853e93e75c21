"""A state as the question of the native API, and which of its fields a refused one is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from airtally.accounts.accounts import Account
from airtally.api.query.body import Compared, Grain, read_body, read_metric
from airtally.api.query.plan import planned
from airtally.console.explore.conditions import condition_of, filter_of
from airtally.console.explore.moments import AskedInterval, sent_moment, zone_or_utc
from airtally.console.explore.state import AUTO, NO_GRAIN, ExploreState
from airtally.kit.errors import Failure
from airtally.streams.declaration import Type

_PREFIX = "The query is invalid: "
Part = dict[str, Any]


class AskedStream(msgspec.Struct, frozen=True):
    """What Explore knows of a stream: its columns' types by name, and the column of its time."""

    name: str
    time: str
    kinds: Mapping[str, str]

    @property
    def local(self) -> bool:
        """Whether its times are wall clock, whatever the zone."""
        return self.kinds[self.time] == Type.LOCAL_TIME


def question_of(state: ExploreState, stream: AskedStream, now_us: int) -> dict[str, Any]:
    """The body for `POST /api/v1/query`."""
    fields: dict[str, Any] = {"stream": state.stream, "metrics": list(state.metrics)}
    if state.splits:
        fields["dimensions"] = list(state.splits)
    if state.filters:
        fields["filter"] = filter_of(state.filters, state.match, stream.kinds)
    fields |= _interval_fields(state, stream)
    grain = grain_of(state, stream, now_us)
    if grain is not None:
        fields["grain"] = grain
    fields["timezone"] = state.zone
    if grain is None and state.splits:
        fields |= _largest_first(state)
    return fields | ({"compare": state.compare} if state.compare else {})


def grain_of(state: ExploreState, stream: AskedStream, now_us: int) -> str | None:
    """None for figures of the whole range. A word that is no grain stays as it is."""
    if state.grain == NO_GRAIN:
        return None
    if state.grain != AUTO:
        return state.grain
    ends = _interval_fields(state, stream)
    return AskedInterval(
        range=ends.get("range", ""),
        start=ends.get("start", ""),
        end=ends.get("end", ""),
        zone=zone_or_utc(state.zone),
        local=stream.local,
        now_us=now_us,
    ).fitting_grain()


def _interval_fields(state: ExploreState, stream: AskedStream) -> dict[str, str]:
    if state.range:
        return {"range": state.range}
    zone = zone_or_utc(state.zone)
    ends = {"start": state.start, "end": state.end}
    return {name: sent_moment(text, zone, local=stream.local) for name, text in ends.items() if text}


def fields_at_fault(
    state: ExploreState, question: Mapping[str, Any], stream: AskedStream, account: Account, now_us: int
) -> dict[str, str]:
    """The fields of a refused question that are refused also alone, with the reason of each.

    Rows of the form are named by their place: `metric-0`, `split-1`, `where-0`. Empty where only all together are wrong.
    """
    found: dict[str, str] = {}
    for field, part in _parts_alone(state, question, stream):
        if field in found or (field in {"grain", "compare"} and found.keys() & {"range", "start", "end"}):
            continue
        try:
            planned(read_body(msgspec.json.encode({"stream": stream.name, **part})), account, now_us)
        except Failure as failure:
            reason = failure.message.removeprefix(_PREFIX)
            found[field] = reason[:1].upper() + reason[1:]
    return found


def _largest_first(state: ExploreState) -> dict[str, list[str]]:
    """The order by the first figure; none where it cannot be read."""
    try:
        return {"order": [f"-{read_metric(state.metrics[0]).label}"]}
    except ValueError:
        return {}


def _parts_alone(state: ExploreState, question: Mapping[str, Any], stream: AskedStream) -> Iterator[tuple[str, Part]]:
    yield "zone", {"timezone": question["timezone"]}
    for name in ("start", "end"):
        if name in question:
            yield name, {name: question[name]}
    for number, metric in enumerate(state.metrics):
        yield f"metric-{number}", {"metrics": [metric]}
    for number, split in enumerate(state.splits):
        yield f"split-{number}", {"dimensions": [split]}
    for number, row in enumerate(state.filters):
        yield f"where-{number}", {"filter": condition_of(row, stream.kinds)}
    ends = {name: question[name] for name in ("range", "start", "end") if name in question}
    yield ("range" if "range" in ends else "end"), ends
    if len(ends) == 1 and "range" not in ends:
        return
    if question.get("grain") in set(Grain):
        yield "grain", {**ends, "grain": question["grain"]}
    if question.get("compare") in set(Compared):
        yield "compare", {**ends, "compare": question["compare"]}
