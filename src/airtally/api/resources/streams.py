"""`/api/v1/streams` and `/api/v1/freshness`: what can be sent and asked, and how current an account's rows are."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.accounts.accounts import Account
from airtally.accounts.permissions import Permission
from airtally.api.operation import OperationCall, PlainCall, operation
from airtally.api.pages import ListingPage
from airtally.api.times import shown_moment
from airtally.kit.errors import NotFound
from airtally.kit.time import SECOND_US
from airtally.services import Services
from airtally.streams import STREAMS
from airtally.streams.declaration import Column, Kind, Stream
from airtally.streams.rollup import Rollup


class StreamSummary(msgspec.Struct, frozen=True):
    """`kind`: event or changelog. `kept_days`: how long rows are kept; null: for ever."""

    name: str
    kind: Kind
    doc: str
    kept_days: int | None


class ColumnAnswer(msgspec.Struct, frozen=True):
    """`type` as docs/reference/streams.md has it. `must_be` says which values a column takes that not all of its type do.

    `required`: a row without it is refused. `default` stands for a value that is left out.
    """

    name: str
    type: str
    doc: str
    required: bool
    default: Any
    choices: tuple[str, ...]
    minimum: int | None
    maximum: int | None
    max_bytes: int | None
    must_be: str | None


class RollupAnswer(msgspec.Struct, frozen=True):
    """Figures that are kept ready: questions with these dimensions and measures are answered from them."""

    name: str
    grain_seconds: int
    dimensions: tuple[str, ...]
    measures: tuple[str, ...]
    kept_days: int | None


class StreamAnswer(msgspec.Struct, frozen=True):
    """`key` names the record that a row of a changelog is a version of; `same_event` what tells two events apart.

    `time` is the column of the time. `owned_column`: the one whose values belong to one account of the server.
    """

    name: str
    kind: Kind
    doc: str
    version: int
    time: str
    key: tuple[str, ...]
    same_event: tuple[str, ...]
    owned_column: str | None
    kept_days: int | None
    columns: list[ColumnAnswer]
    rollups: list[RollupAnswer]


class FreshnessAnswer(msgspec.Struct, frozen=True):
    """All rows received by `data_through` count in every answer given from now on.

    `rows` are stored, also those that a later one of the same event replaces, until compaction removes them.
    `last_received`: when the last of them came, to the millisecond; null without rows.
    """

    stream: str
    rows: int
    last_received: str | None
    data_through: str


_FRESH = {
    "stream": "playlogs",
    "rows": 1_204_332,
    "last_received": "2026-11-02T09:14:58.120000Z",
    "data_through": "2026-11-02T09:15:00.123456Z",
}


class StreamResource:
    def __init__(self, services: Services) -> None:
        self._queries = services.queries
        self._retention = services.settings.retention

    @operation("GET", "/streams", Permission.READ, "List streams")
    def list_streams(self, call: PlainCall) -> ListingPage[StreamSummary]:  # noqa: ARG002 (the same for all)
        """The declared streams, which are the same for all accounts."""
        found = [StreamSummary(each.name, each.kind, each.doc, self._kept(each)) for each in STREAMS.values()]
        return ListingPage(found, None)

    @operation("GET", "/streams/{stream}", Permission.READ, "Get a stream", failures=(NotFound,))
    def get_stream(self, call: PlainCall) -> StreamAnswer:
        """Its columns, key, rollups, and how long its rows are kept."""
        stream = stream_named(call)
        return StreamAnswer(
            name=stream.name,
            kind=stream.kind,
            doc=stream.doc,
            version=stream.version,
            time=stream.time,
            key=stream.key,
            same_event=stream.identity,
            owned_column=None if stream.owned is None else stream.owned.column,
            kept_days=self._kept(stream),
            columns=[_column_answer(column) for column in stream.columns],
            rollups=[_rollup_answer(each, self._retention[each.name]) for each in stream.rollups],
        )

    @operation(
        *("GET", "/streams/{stream}/freshness", Permission.READ, "How current a stream is"),
        failures=(NotFound,),
        answer_example=_FRESH,
    )
    def get_freshness(self, call: PlainCall) -> FreshnessAnswer:
        """Read from the log of the stream's table: cheap, however many rows there are."""
        return self._fresh(stream_named(call), call.account)

    @operation(
        *("GET", "/freshness", Permission.READ, "How current every stream is"),
        answer_example={"items": [_FRESH], "next": None},
    )
    def list_freshness(self, call: PlainCall) -> ListingPage[FreshnessAnswer]:
        """Of all streams, in the order of the list of streams."""
        return ListingPage([self._fresh(stream, call.account) for stream in STREAMS.values()], None)

    def _fresh(self, stream: Stream, account: Account) -> FreshnessAnswer:
        found = self._queries.freshness(stream, account.slug)
        last, through = shown_moment(found.stored.last_us), shown_moment(found.data_through_us)
        return FreshnessAnswer(stream.name, found.stored.rows, last, through)

    def _kept(self, stream: Stream) -> int | None:
        return self._retention[stream.name]


def stream_named(call: OperationCall[Any, Any]) -> Stream:
    """The stream in the path. Raises NotFound."""
    name = call.text("stream")
    if name not in STREAMS:
        raise NotFound(f"There is no stream {name[:64]!r}", hint="The streams are: " + ", ".join(STREAMS))
    return STREAMS[name]


def _column_answer(column: Column) -> ColumnAnswer:
    return ColumnAnswer(
        name=column.name,
        type=column.type,
        doc=column.doc,
        required=column.required,
        default=column.default,
        choices=column.choices,
        minimum=column.minimum,
        maximum=column.maximum,
        max_bytes=column.max_bytes if column.type.has_length else None,
        must_be=column.pattern_says or column.json_says,
    )


def _rollup_answer(rollup: Rollup, kept_days: int | None) -> RollupAnswer:
    measures = tuple(measure.name for measure in rollup.measures)
    return RollupAnswer(rollup.name, rollup.grain_us // SECOND_US, rollup.dimensions, measures, kept_days)
