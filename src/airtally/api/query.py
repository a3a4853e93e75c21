"""`POST /api/v1/query`: figures of one stream, grouped and bucketed."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from litestar import Request, Response, post
from litestar.params import RawBody

from airtally.accounts.accounts import Account
from airtally.api.authorize import authorize
from airtally.ingest.times import EXPECTED, parse_time
from airtally.kit.errors import BadRequest, NotFound, Unprocessable
from airtally.kit.time import to_datetime
from airtally.kit.zones import named_zone
from airtally.query.buckets import Bucket
from airtally.query.narrow import plain_rows
from airtally.query.question import END_US, FIRST_US, Dimension, Function, Metric, Question
from airtally.query.refusal import RowsGone
from airtally.query.service import Answer
from airtally.services import Services
from airtally.sql.comparable import type_of
from airtally.sql.filters import AllOf, Equals, Filter, OneOf
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream, Type
from airtally.web.requests import note_account

MAX_ROWS = 100_000
MAX_METRICS, MAX_DIMENSIONS = 100, 20
#: Characters of a metric's name.
MAX_NAME = 256
MAX_WORDS = 400
#: Room for a list of 1 MiB of values with its quotes and commas.
MAX_BODY = 4 << 20

Value = str | int | float
_TIMES = (Type.TIME, Type.LOCAL_TIME)


class AskedMetric(msgspec.Struct, forbid_unknown_fields=True):
    function: Function
    column: str | None = None
    name: str | None = None


class QueryBody(msgspec.Struct, forbid_unknown_fields=True):
    """`start` and `end` are times in the form that rows of the stream have (`ingest/times.py`); `end` is excluded.

    A filter on a column of times takes such texts, or microseconds since 1970, as answers show them.
    `timezone` is the account's by default; buckets begin at its midnights.
    """

    stream: str
    metrics: list[AskedMetric | str] = msgspec.field(default_factory=lambda: ["count"])
    dimensions: list[str] = msgspec.field(default_factory=list)
    filter: dict[str, Value | list[Value]] = msgspec.field(default_factory=dict)
    start: str | None = None
    end: str | None = None
    timezone: str | None = None
    bucket: Bucket = Bucket.NONE


def routes(services: Services) -> list[Any]:
    @post("/api/v1/query", status_code=200, sync_to_thread=True, request_max_body_size=MAX_BODY)
    def query(request: Request[Any, Any, Any], body: RawBody) -> Response[dict[str, Any]]:
        account = authorize(services.access.keys, request.headers.get("authorization", ""), "read").account
        note_account(request, account.slug)
        asked = _read_question(body)
        try:
            answer = services.queries.answer(_question(asked, account))
        except RowsGone as gone:
            gone.details = _instead(asked, gone)
            raise
        return Response(_answer_as_json(answer))

    return [query]


def _instead(asked: QueryBody, gone: RowsGone) -> dict[str, Any]:
    """The nearest queries that can be answered, ready to send; `question` is the first of them."""
    questions = [
        msgspec.to_builtins(asked)
        | {
            "start": None if each.start_us is None else to_datetime(each.start_us).isoformat(),
            "end": None if each.end_us is None else to_datetime(each.end_us).isoformat(),
            "timezone": str(each.zone),
            "bucket": each.bucket,
        }
        for each in gone.instead
    ]
    return {"question": questions[0], "questions": questions} if questions else {}


def _read_question(body: bytes) -> QueryBody:
    """Parse the body. Raises BadRequest if it is no JSON object, Unprocessable if the object is no query."""
    try:
        return msgspec.json.decode(body, type=QueryBody)
    except msgspec.ValidationError as error:
        failure = Unprocessable if body.lstrip()[:1] == b"{" else BadRequest
        raise failure(_in_words("is invalid", error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(_in_words("cannot be read", error)) from None


def _question(asked: QueryBody, account: Account) -> Question:
    stream = STREAMS.get(asked.stream)
    if stream is None:
        raise NotFound(f"There is no stream {asked.stream[:64]!r}", hint="The streams are: " + ", ".join(STREAMS))
    _check_sizes(asked)
    try:
        return Question(
            stream,
            account.slug,
            metrics=tuple(map(_metric, asked.metrics)),
            dimensions=tuple(map(Dimension, asked.dimensions)),
            where=AllOf(tuple(_condition(stream, name, value) for name, value in asked.filter.items())),
            start_us=_end(stream, asked.start),
            end_us=_end(stream, asked.end),
            zone=account.zone if asked.timezone is None else named_zone(asked.timezone),
            bucket=asked.bucket,
            most_rows=MAX_ROWS,
        )
    except (ValueError, OverflowError) as error:
        raise Unprocessable(_in_words("is invalid", error)) from None


def _in_words(what: str, error: Exception) -> str:
    """The error as a message, cut to 400 characters since it may repeat a part of the body."""
    return f"The query {what}: {error}"[:MAX_WORDS]


def _check_sizes(asked: QueryBody) -> None:
    """Raises Unprocessable for too many metrics or dimensions, each of which adds a column to the work."""
    for what, found, most in (
        ("metrics", len(asked.metrics), MAX_METRICS),
        ("dimensions", len(asked.dimensions), MAX_DIMENSIONS),
    ):
        if found > most:
            raise Unprocessable(f"The query is invalid: it has {found} {what}, and may have at most {most}")


def _metric(asked: AskedMetric | str) -> Metric:
    if isinstance(asked, str):
        return Metric(asked[:MAX_NAME], Function(asked[:MAX_NAME]))
    if asked.name is not None and not (0 < len(asked.name) <= MAX_NAME and asked.name.isprintable()):
        raise ValueError(f"the name of a metric has 1 to {MAX_NAME} printable characters")
    return Metric(asked.name or f"{asked.function}_{asked.column}".removesuffix("_None"), asked.function, asked.column)


def _condition(stream: Stream, name: str, value: Value | list[Value]) -> Filter:
    kind = type_of(stream, name)
    if kind in _TIMES:
        value = [_time(kind, each) for each in value] if isinstance(value, list) else _time(kind, value)
    return OneOf(name, tuple(value)) if isinstance(value, list) else Equals(name, value)


def _end(stream: Stream, text: str | None) -> int | None:
    """One end of the interval in microseconds; None leaves it open."""
    return None if text is None else _time_value(stream.column(stream.time).type, text)


def _time(kind: Type, value: Value) -> Value:
    return _time_value(kind, value) if isinstance(value, str) else value


def _time_value(kind: Type, text: str) -> int:
    """Microseconds since 1970 of a time, parsed as the time of a row is."""
    local = kind is Type.LOCAL_TIME
    at_us = parse_time(text, local=local)
    if at_us is None:
        raise ValueError(f"{EXPECTED[local]}, got {text[:64]!r}")
    if not FIRST_US <= at_us < END_US:
        raise ValueError(f"expected a time in the years 1969 to 2101, got {text}")
    return at_us


def _answer_as_json(answer: Answer) -> dict[str, Any]:
    for name in answer.table.column_names:
        figures = answer.table.column(name)
        if pa.types.is_floating(figures.type) and not pc.all(pc.is_finite(figures), min_count=0).as_py():
            raise Unprocessable(f"{name[:64]} is beyond the largest number that a double holds")
    return {
        "rows": plain_rows(answer.table),
        "data_through": to_datetime(answer.data_through_us).isoformat(),
        "generated_at": to_datetime(answer.generated_at_us).isoformat(),
        "timezone": answer.timezone,
    }
