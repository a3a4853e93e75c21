"""A question as callers write it, in a body of JSON or in the query string of a link."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from airtally.api.formats import AnswerFormat
from airtally.api.problems import MAX_WORDS
from airtally.api.query.limits import MAX_DIMENSIONS, MAX_METRICS, MAX_NAME
from airtally.kit.errors import BadRequest, Unprocessable
from airtally.kit.sent_json import decode_sent
from airtally.query.buckets import Bucket


class AskedFunction(StrEnum):
    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    DISTINCT = "distinct"


class Grain(StrEnum):
    """How long the intervals are that an answer has a row for."""

    MINUTE = "minute"
    QUARTER = "15 minutes"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def bucket(self) -> Bucket:
        return Bucket.QUARTER if self is Grain.QUARTER else Bucket(self.value)


class Compared(StrEnum):
    PREVIOUS_PERIOD = "previous_period"
    PREVIOUS_YEAR = "previous_year"


class AskedMetric(msgspec.Struct, forbid_unknown_fields=True):
    function: AskedFunction
    column: str | None = None
    name: str | None = None

    @property
    def label(self) -> str:
        return self.name or f"{self.function}_{self.column}".removesuffix("_None")


class QueryBody(msgspec.Struct, forbid_unknown_fields=True):
    """`start` and `end` are times as a row of the stream may carry them (`ingest/times.py`); `end` is not included.

    `filter` is a tree (`api/query/conditions.py`), or columns with the value or values that each must have.
    `timezone` is the account's by default; intervals begin at its midnights. `bucket` is `grain` as earlier releases
    have it: with it, intervals are a column `bucket` in microseconds since 1970.
    """

    stream: str
    metrics: list[AskedMetric | str] = msgspec.field(default_factory=lambda: ["count"])
    dimensions: list[str] = msgspec.field(default_factory=list)
    filter: dict[str, Any] = msgspec.field(default_factory=dict)
    range: str | None = None
    start: str | None = None
    end: str | None = None
    timezone: str | None = None
    grain: Grain | None = None
    bucket: Bucket = Bucket.NONE
    compare: Compared | None = None
    order: list[str] = msgspec.field(default_factory=list)
    limit: int | None = None
    cursor: str | None = None
    format: AnswerFormat | None = None


_TEXT_METRIC = re.compile(r"([a-z]+)(?:\(([^()]*)\))?(?: as (.+))?")
_LISTS = {"metrics", "dimensions", "order"}
_JSON_FIELDS = {"filter", "limit"}
_ENUMS: Mapping[str, type[StrEnum]] = {
    "grain": Grain,
    "bucket": Bucket,
    "compare": Compared,
    "format": AnswerFormat,
    "function": AskedFunction,
}
#: As msgspec names the place of a word that is none of an enumeration.
_ENUM_FIELD = re.compile(r"Invalid enum value .* - at `\$.*?([a-z]+)`")


def read_body(body: bytes) -> QueryBody:
    """Raises BadRequest for what is no JSON object, Unprocessable for an object that is no question."""
    try:
        return decode_sent(body, QueryBody)
    except msgspec.ValidationError as error:
        failure = Unprocessable if body.lstrip()[:1] == b"{" else BadRequest
        raise failure(in_words("is invalid", error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(in_words("cannot be read", error)) from None


def read_link(query_string: bytes) -> QueryBody:
    """Lists are separated by commas, or are JSON; `filter` is JSON. Raises BadRequest or Unprocessable."""
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=256)
    except ValueError as error:
        raise BadRequest(in_words("cannot be read", error)) from None
    found: dict[str, Any] = {}
    for name, text in pairs:
        if name in _LISTS:
            found.setdefault(name, []).extend(_list_in_link(name, text))
        elif name in found:
            raise Unprocessable(in_words("is invalid", ValueError(f"{name[:64]} is given twice")))
        else:
            found[name] = _json_in_link(name, text) if name in _JSON_FIELDS else text
    try:
        return msgspec.convert(found, QueryBody)
    except (msgspec.ValidationError, RecursionError) as error:
        raise Unprocessable(in_words("is invalid", error)) from None


def in_words(what: str, error: Exception) -> str:
    """Whatever an error repeats of the body, the answer is short; of a word from a list it tells the list."""
    known = _ENUM_FIELD.search(str(error))
    words = f"; expected one of {', '.join(_ENUMS[known[1]])}" if known and known[1] in _ENUMS else ""
    return f"The query {what}: {str(error)[: MAX_WORDS - len(words) - 64]}{words}"[:MAX_WORDS]


def check_sizes(asked: QueryBody) -> None:
    """Each metric is a column of the answer and of the work, each dimension one of every group. Raises Unprocessable."""
    for what, found, most in (
        ("metrics", len(asked.metrics), MAX_METRICS),
        ("dimensions", len(asked.dimensions), MAX_DIMENSIONS),
    ):
        if found > most:
            raise Unprocessable(f"The query is invalid: it has {found} {what}, and may have at most {most}")


def read_metric(asked: AskedMetric | str) -> AskedMetric:
    """`sum(viewers) as total` is `{"function": "sum", "column": "viewers", "name": "total"}`. Raises ValueError."""
    if isinstance(asked, AskedMetric):
        metric = asked
    else:
        found = _TEXT_METRIC.fullmatch(asked[: 4 * MAX_NAME])
        if found is None:
            raise ValueError(f"expected a metric such as `count` or `sum(viewers) as total`, not {asked[:64]!r}")
        if found[1] not in set(AskedFunction):
            raise ValueError(f"there is no function {found[1][:64]!r}: expected one of {', '.join(AskedFunction)}")
        metric = AskedMetric(AskedFunction(found[1]), found[2], found[3])
    if metric.name is not None and not (0 < len(metric.name) <= MAX_NAME and metric.name.isprintable()):
        raise ValueError(f"the name of a metric has 1 to {MAX_NAME} printable characters")
    return metric


def as_question(asked: QueryBody, changed: Mapping[str, Any]) -> dict[str, Any]:
    """A body to send in place of another: without what it leaves out, and with some fields changed."""
    fields = msgspec.to_builtins(asked) | changed
    return {name: value for name, value in fields.items() if value is not None}


def _list_in_link(name: str, text: str) -> list[Any]:
    if not text.lstrip().startswith("["):
        return [each.strip() for each in text.split(",")] if text else []
    found = _json_in_link(name, text)
    return found if isinstance(found, list) else [found]


def _json_in_link(name: str, text: str) -> Any:
    try:
        return decode_sent(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Unprocessable(in_words("is invalid", ValueError(f"{name} is no JSON: {error}"))) from None
