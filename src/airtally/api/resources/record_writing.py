"""Writes one record as a row of its stream, through the same checks, claims and buffer as rows that are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from airtally.api.operation import JSON, OperationCall
from airtally.api.problems import MAX_WORDS
from airtally.api.repeating import HEADER, header_text
from airtally.ingest.service import Batch, Ingest
from airtally.ingest.validate import DELETED
from airtally.kit.errors import BadRequest, Unavailable, Unprocessable
from airtally.kit.sent_json import decode_sent
from airtally.sql.case import folded
from airtally.streams.declaration import Stream
from airtally.streams.record_key import KeyPart


class RecordWriting:
    """`ingest` is None in a process that takes no rows. Thread-safe, as `ingest` is."""

    def __init__(self, ingest: Ingest | None) -> None:
        self._ingest = ingest

    def put(
        self,
        call: OperationCall[Any, Any],
        stream: Stream,
        key: tuple[KeyPart, ...],
        values: Mapping[str, msgspec.Raw],
    ) -> None:
        """Write a version. All of it is on disk when this returns, or nothing.

        Raises BadRequest for values that are no JSON, Unprocessable for wrong ones and for those of another record,
        Conflict while a request with the same `Idempotency-Key` is under way, and what `Ingest.accept` raises.
        """
        if _decoded(values.get(DELETED)) not in (None, 0):
            raise Unprocessable("`is_deleted` is 0 in a record that is written", hint="DELETE deletes a record")
        own = dict(zip(stream.key, key, strict=True))
        for name, part in own.items():
            if name in values and not _is_same(stream, name, part, _decoded(values[name])):
                raise Unprocessable(f"`{name}` is of another record than the path", hint="Leave it out")
        self._send(call, stream, {**values, **own})

    def delete(self, call: OperationCall[Any, Any], stream: Stream, key: tuple[KeyPart, ...]) -> None:
        """Write a version that deletes the record. Raises as `put` does."""
        self._send(call, stream, {**dict(zip(stream.key, key, strict=True)), DELETED: 1})

    def _send(self, call: OperationCall[Any, Any], stream: Stream, row: Mapping[str, Any]) -> None:
        if self._ingest is None:
            raise Unavailable("This process takes no rows")
        body = b"[" + msgspec.json.encode(row) + b"]"
        key = call.request.headers.get(HEADER)
        named = None if key is None else header_text(key)
        self._ingest.accept(Batch(stream, call.account, body, JSON, idempotency_key=named, whole=True))


def _decoded(value: msgspec.Raw | None) -> Any:
    """Raises BadRequest for what is no JSON after all: of a text, only its end was looked for."""
    try:
        return None if value is None else decode_sent(bytes(value))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body cannot be read: {error}"[:MAX_WORDS]) from None


def _is_same(stream: Stream, name: str, part: KeyPart, given: Any) -> bool:
    """A number may be sent as a text; text is compared as the stream's key is."""
    if part is None or given is None:
        return part is None and given is None
    if stream.by_name[name].fold_case:
        return folded(str(part)) == folded(str(given))
    return str(part) == str(given)
