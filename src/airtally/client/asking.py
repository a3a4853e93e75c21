"""Questions and what is read of their answers: as JSON rows, or as Arrow tables, page after page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar

import msgspec

from airtally.client.errors import AnswerDeferred, GarbledAnswer
from airtally.client.exchange import Exchange, exchange
from airtally.client.messages import JSON, ApiAnswer, ApiRequest, read_as, shown_beginning
from airtally.client.retry import RetryRules

if TYPE_CHECKING:
    import pyarrow as pa

ARROW = "application/vnd.apache.arrow.stream"
#: The most rows that one answer has: what the server allows.
PAGE_ROWS = 100_000

P = TypeVar("P", bound="AnyPage")


class AnyPage(Protocol):
    """`next` is the cursor of the page after it; None on the last."""

    @property
    def next(self) -> str | None: ...

    @property
    def count(self) -> int:
        """Rows of the page."""


@dataclass(frozen=True, slots=True)
class RowsPage:
    """One answer's rows. All rows received by `data_through` are counted; `meta` is what else the answer says."""

    rows: list[dict[str, Any]]
    next: str | None = None
    data_through: datetime | None = None
    generated_at: datetime | None = None
    timezone: str | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class TablePage:
    """One answer as an Arrow table. `headers` has what it says of itself, in small letters: `airtally-data-through`."""

    table: pa.Table
    next: str | None
    headers: Mapping[str, str]

    @property
    def count(self) -> int:
        return int(self.table.num_rows)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for rows: the fields of its JSON body. `pages`: whether it can be asked for page by page."""

    path: str
    fields: Mapping[str, Any]
    policy: RetryRules
    pages: bool = False
    limit: int | None = None
    page_rows: int = PAGE_ROWS


class Paging(Generic[P]):
    """Asks for one page after the other: run what `steps` gives until it gives None."""

    def __init__(self, asked: Asked, accept: str, read: Callable[[ApiAnswer], P]) -> None:
        self._asked, self._accept, self._read = asked, accept, read
        self._cursor: str | None = None
        self._left = asked.limit
        self._ended = False

    def steps(self) -> Exchange[P] | None:
        """The exchange for the next page; None after the last."""
        if self._ended:
            return None
        asked = self._asked
        body = msgspec.json.encode({**asked.fields, **self._page()})
        headers = {"Content-Type": JSON, "Accept": self._accept}
        request = ApiRequest("POST", asked.path, headers=headers, body=body)
        return exchange(request, self._understood, asked.policy, asked.policy.read_patience)

    def _page(self) -> dict[str, Any]:
        if not self._asked.pages:
            return {} if self._asked.limit is None else {"limit": self._asked.limit}
        rows = self._asked.page_rows if self._left is None else min(self._left, self._asked.page_rows)
        return {"limit": rows} | ({} if self._cursor is None else {"cursor": self._cursor})

    def _understood(self, answer: ApiAnswer) -> P:
        page = self._read(answer)
        self._cursor = page.next
        if self._left is not None:
            self._left -= page.count
        self._ended = page.next is None or not self._asked.pages or (self._left is not None and self._left <= 0)
        return page


class QueryFields(TypedDict, total=False):
    """The fields of docs/reference/query-api.md.

    `limit` is the most rows in all, `page_rows` those of one answer, 100,000 by default and at most.
    """

    metrics: Sequence[str | Mapping[str, Any]]
    dimensions: Sequence[str]
    filter: Mapping[str, Any] | None
    range: str | None
    start: datetime | str | None
    end: datetime | str | None
    grain: str | None
    timezone: str | None
    compare: str | None
    order: Sequence[str]
    limit: int | None
    page_rows: int


def query_asked(policy: RetryRules, stream: str, fields: QueryFields) -> Asked:
    """What is None is left out. Raises ValueError for numbers of rows below 1, TypeError for an unknown field."""
    if unknown := fields.keys() - QueryFields.__annotations__.keys():
        raise TypeError(f"a query has no field {', '.join(sorted(unknown))}")
    limit, page_rows = fields.get("limit"), fields.get("page_rows", PAGE_ROWS)
    if page_rows < 1 or (limit is not None and limit < 1):
        raise ValueError("limit and page_rows must be 1 or more")
    own = {"limit", "page_rows"}
    asked = {name: _as_field(name, value) for name, value in fields.items() if value is not None and name not in own}
    return Asked("/api/v1/query", {"stream": stream, **asked}, policy, pages=True, limit=limit, page_rows=page_rows)


def sql_asked(policy: RetryRules, statement: str) -> Asked:
    return Asked("/api/v1/sql", {"sql": statement}, policy)


def _as_field(name: str, value: Any) -> Any:
    """Moments as texts; one metric, dimension or order may be given without a list around it."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if name in {"metrics", "dimensions", "order"}:
        return [value] if isinstance(value, str) else list(value)
    return value


class _JsonAnswer(msgspec.Struct):
    rows: list[dict[str, Any]]
    next: str | None = None
    data_through: datetime | None = None
    generated_at: datetime | None = None
    timezone: str | None = None
    meta: dict[str, Any] | None = None


def read_rows_page(answer: ApiAnswer) -> RowsPage:
    """Raises GarbledAnswer, and AnswerDeferred."""
    _check_not_deferred(answer)
    try:
        found = msgspec.json.decode(answer.body, type=_JsonAnswer)
        rest = {} if found.meta is not None else msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise GarbledAnswer(f"The answer has no rows: {shown_beginning(answer.body)}") from None
    others = rest.keys() - set(_JsonAnswer.__struct_fields__)
    meta = found.meta if found.meta is not None else {name: msgspec.json.decode(rest[name]) for name in sorted(others)}
    return RowsPage(found.rows, found.next, found.data_through, found.generated_at, found.timezone, meta)


def read_table_page(answer: ApiAnswer) -> TablePage:
    """Raises GarbledAnswer, also for a table that was cut short."""
    import pyarrow as pa  # noqa: PLC0415 (loaded only for tables)

    _check_not_deferred(answer)
    if answer.media_type != ARROW:
        raise GarbledAnswer(f"The answer is {answer.media_type or 'untyped'}, no Arrow stream")
    try:
        with pa.ipc.open_stream(pa.BufferReader(answer.body)) as reader:
            table = reader.read_all()
    except (pa.ArrowException, OSError, EOFError) as error:
        raise GarbledAnswer(f"The answer is no Arrow stream: {error}") from None
    rows = answer.headers.get("airtally-rows")
    if rows is not None and rows != str(table.num_rows):
        raise GarbledAnswer(f"The answer has {table.num_rows} of {rows} rows")
    return TablePage(table, answer.headers.get("airtally-next"), answer.headers)


def _check_not_deferred(answer: ApiAnswer) -> None:
    if answer.status == 202:
        raise AnswerDeferred(read_as(answer, _Deferred).id)


class _Deferred(msgspec.Struct):
    id: int


def joined_tables(tables: Sequence[pa.Table]) -> pa.Table:
    import pyarrow as pa  # noqa: PLC0415 (loaded only for tables)

    return pa.concat_tables(tables, promote_options="default")
