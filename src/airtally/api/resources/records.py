"""`/api/v1/streams/{stream}/records`: records of changelogs, with their versions, read and written one by one."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pyarrow as pa

from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, PlainCall, operation
from airtally.api.pages import DEFAULT_LIMIT, MAX_LIMIT, ListingPage, PageQuery, page_of, read_token, shown_token
from airtally.api.resources.record_values import RecordAnswer, fitting, record_answer, version_us
from airtally.api.resources.record_writing import RecordWriting
from airtally.api.resources.streams import stream_named
from airtally.kit.errors import Conflict, LimitExceeded, NotFound, Unprocessable
from airtally.query.changelog import VERSION_TIME, VersionsQuery
from airtally.query.record_pages import Deleted, KeyRange
from airtally.services import Services
from airtally.sql.filters import EVERYTHING, Between
from airtally.streams import STREAMS
from airtally.streams.declaration import Kind, Stream
from airtally.streams.record_key import MAX_TEXT, KeyPart, key_of, read_key, read_part, written_key

_VALUES = {"player_id": 7001, "name": "Lobby", "is_deleted": 0, "last_update_time_utc": "2026-11-02T09:15:00.123000Z"}
_SHOWN = {"record": "7001", "deleted": False, "values": _VALUES}
_LISTED = {"items": [_SHOWN], "next": None}
_OF_READS = (NotFound, LimitExceeded)


class RecordsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """`limit`: at most so many; fewer where they are large. `cursor`: the `next` of the page before. `deleted`: records
    that were deleted.

    `key`: only records whose key begins with this value; given again, the next column's; written as in paths.
    `prefix`: only those whose next text of the key begins so. `search`: only those with a text that contains it, whatever
    the case, or with it as a number of their key.
    """

    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
    cursor: Annotated[str, msgspec.Meta(max_length=2 * MAX_TEXT)] | None = None
    deleted: Deleted = Deleted.NO
    key: list[str] = msgspec.field(default_factory=list)
    prefix: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)] = ""
    search: Annotated[str, msgspec.Meta(max_length=256)] = ""


class RecordBody(msgspec.Struct, forbid_unknown_fields=True):
    """`values`: by column, as rows are sent. The key's columns may be left out."""

    values: dict[str, msgspec.Raw]


class WrittenRecord(msgspec.Struct, frozen=True):
    """`record`: its key, as it stands in paths."""

    stream: str
    record: str


class RecordResource:
    def __init__(self, services: Services) -> None:
        self._queries = services.queries
        self._writing = RecordWriting(services.intake.batches)

    @operation(
        *("GET", "/streams/{stream}/records", Permission.READ, "List records"),
        failures=_OF_READS,
        answer_example=_LISTED,
    )
    def list_records(self, call: OperationCall[RecordsQuery, None]) -> ListingPage[RecordAnswer]:
        """As they are now, in the order of their keys. Rows that were acknowledged before the call count."""
        stream, asked = changelog_named(call), call.query
        found = self._queries.key_page(_range_of(stream, asked), call.account.slug, asked.limit + 1)
        rows = found.slice(0, fitting(found, asked.limit)).to_pylist()
        more = found.num_rows > len(rows)
        following = shown_token(written_key(key_of(stream, rows[-1]))) if more else None
        return ListingPage([record_answer(stream, row) for row in rows], following)

    @operation(
        *("GET", "/streams/{stream}/records/{record}", Permission.READ, "Get a record"),
        failures=_OF_READS,
        answer_example=_SHOWN,
    )
    def get_record(self, call: PlainCall) -> RecordAnswer:
        """As it is now. A record that was deleted is not found; its versions still are."""
        stream = changelog_named(call)
        key = _key_named(call, stream)
        found = self._queries.key_page(KeyRange(stream, key, deleted=Deleted.ANY), call.account.slug, 1).to_pylist()
        if not found:
            raise _no_record(call)
        if found[0]["is_deleted"]:
            hint = f"{call.request.url.path}/versions shows what it was"
            raise NotFound(f"The record {call.text('record')[:128]!r} of {stream.name} is deleted", hint=hint)
        return record_answer(stream, found[0])

    @operation(
        *("GET", "/streams/{stream}/records/{record}/versions", Permission.READ, "List a record's versions"),
        failures=_OF_READS,
        answer_example=_LISTED,
    )
    def list_record_versions(self, call: OperationCall[PageQuery, None]) -> ListingPage[RecordAnswer]:
        """The newest first, deletions too."""
        stream, asked = changelog_named(call), call.query
        where = EVERYTHING if asked.position is None else Between(VERSION_TIME, below=asked.position)
        wanted = VersionsQuery(stream, call.account.slug, _key_table(stream, _key_named(call, stream)), where)
        found = self._queries.newest_versions(wanted, asked.limit + 1)
        if not found.num_rows and asked.position is None:
            raise _no_record(call)
        limit = fitting(found, asked.limit)
        rows = found.slice(0, limit + 1).to_pylist()
        return page_of(rows, limit, lambda row: record_answer(stream, row), version_us)

    @operation(
        *("PUT", "/streams/{stream}/records/{record}", Permission.WRITE, "Write a record"),
        failures=(NotFound, Conflict),
        example={"values": {"name": "Lobby"}},
        answer_example={"stream": "players", "record": "7001"},
        keeps_key=True,
    )
    def put_record(self, call: OperationCall[NoFields, RecordBody]) -> WrittenRecord:
        """A new version, as a row sent to `/events`: on disk once this is answered, and seen by the next read.

        Columns that are left out are null, or have their default. A wrong value refuses it, and nothing is kept.
        """
        stream = changelog_named(call)
        key = _key_named(call, stream)
        self._writing.put(call, stream, key, call.body.values)
        return WrittenRecord(stream.name, written_key(key))

    @operation(
        *("DELETE", "/streams/{stream}/records/{record}", Permission.WRITE, "Delete a record"),
        status=204,
        failures=(NotFound, Conflict),
        answer=None,
        keeps_key=True,
    )
    def delete_record(self, call: PlainCall) -> None:
        """A new version that deletes it and keeps its other columns. One that is not there is no error."""
        stream = changelog_named(call)
        self._writing.delete(call, stream, _key_named(call, stream))


def changelog_named(call: OperationCall[Any, Any]) -> Stream:
    """The changelog in the path. Raises NotFound."""
    stream = stream_named(call)
    if stream.kind is not Kind.CHANGELOG:
        named = ", ".join(each.name for each in STREAMS.values() if each.kind is Kind.CHANGELOG)
        hint = f"Ask for its events by POST /api/v1/query. Records have: {named}"
        raise NotFound(f"The stream {stream.name} has events, and no records", hint=hint)
    return stream


def _key_named(call: OperationCall[Any, Any], stream: Stream) -> tuple[KeyPart, ...]:
    """Raises NotFound for what can be no key of the stream."""
    try:
        return read_key(stream, call.text("record"))
    except ValueError as error:
        raise NotFound(f"There is no record {call.text('record')[:128]!r}: {error}") from None


def _no_record(call: OperationCall[Any, Any]) -> NotFound:
    return NotFound(f"There is no record {call.text('record')[:128]!r} of {call.text('stream')}")


def _range_of(stream: Stream, asked: RecordsQuery) -> KeyRange:
    """Raises Unprocessable."""
    try:
        begins = tuple(read_part(stream, name, part) for name, part in zip(stream.key, asked.key, strict=False))
        after = None if asked.cursor is None else read_key(stream, read_token(asked.cursor))
        if len(asked.key) > len(stream.key):
            raise ValueError(f"`key` is given at most {len(stream.key)} times: {', '.join(stream.key)}")  # noqa: TRY301
        return KeyRange(stream, begins, asked.prefix, after, asked.deleted, asked.search)
    except ValueError as error:
        raise Unprocessable(f"The query string is invalid: {error}") from None


def _key_table(stream: Stream, key: tuple[KeyPart, ...]) -> pa.Table:
    schema = pa.schema([stream.row_schema.field(name) for name in stream.key])
    return pa.Table.from_pylist([dict(zip(stream.key, key, strict=True))], schema=schema)
