"""Rejected rows, kept as received with their errors, to be listed, fetched and sent again."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from airtally.accounts.accounts import Account
from airtally.ingest.decode import RowError
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import NotFound
from airtally.metadata.store import MetadataStore
from airtally.metadata.tables import quarantine

_CODEC = "zstd"
_LISTED = (
    quarantine.c.id,
    quarantine.c.stream,
    quarantine.c.source,
    quarantine.c.rows,
    quarantine.c.first_error,
    quarantine.c.received_at,
    quarantine.c.resent_at,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """The rejected rows of one batch. Times in microseconds UTC."""

    id: int
    stream: str
    source: str
    rows: int
    first_error: str
    received_at: int
    resent_at: int | None


class RejectedRow(msgspec.Struct, frozen=True):
    """One rejected row. `raw` is its text as received; `raw_base64` stands instead where that is not UTF-8."""

    line: int
    field: str | None
    error: str
    raw: str | None = None
    raw_base64: str | None = None

    @property
    def received(self) -> bytes:
        return self.raw.encode() if self.raw is not None else base64.b64decode(self.raw_base64 or "")


class Quarantine:
    """Every call takes the account: no entry is reachable without its owner."""

    def __init__(self, store: MetadataStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep(
        self, account: Account, stream: str, errors: Sequence[RowError], *, source: str, source_key: str | None = None
    ) -> None:
        """Keep a batch's rejected rows; a `source_key` kept before is not kept twice."""
        if not errors:
            return
        first = errors[0]
        values = {
            "account_id": account.id,
            "stream": stream,
            "source": source,
            "source_key": source_key,
            "rows": len(errors),
            "first_error": f"line {first.line}: {first.field or 'row'}: {first.error}",
            "content": _packed([_rejected(error) for error in errors]),
            "received_at": self._clock.now_us(),
        }
        try:
            with self._store.begin() as connection:
                connection.execute(insert(quarantine).values(values))
        except IntegrityError:
            if source_key is None:
                raise
            return
        metrics.ROWS_REJECTED.labels(stream).inc(len(errors))

    def entries(self, account: Account, stream: str | None = None, *, limit: int = 1000) -> list[Entry]:
        """Newest first."""
        query = select(*_LISTED).where(quarantine.c.account_id == account.id).order_by(quarantine.c.id.desc())
        if stream is not None:
            query = query.where(quarantine.c.stream == stream)
        with self._store.read() as connection:
            return [Entry(*row) for row in connection.execute(query.limit(limit))]

    def entry(self, account: Account, entry_id: int) -> Entry:
        """Raises NotFound for an entry that is not the account's."""
        with self._store.read() as connection:
            row = connection.execute(select(*_LISTED).where(*_is(account, entry_id))).one_or_none()
        if row is None:
            raise _unknown(entry_id)
        return Entry(*row)

    def rows(self, account: Account, entry_id: int) -> Iterator[RejectedRow]:
        """Raises NotFound for an entry that is not the account's."""
        query = select(quarantine.c.content).where(*_is(account, entry_id))
        with self._store.read() as connection:
            content = connection.execute(query).scalar_one_or_none()
        if content is None:
            raise _unknown(entry_id)
        yield from _unpacked(content)

    def forget_from(self, source_key: str, line: int) -> None:
        """Forget the rows of a batch from a line on: they are about to be read again."""
        named = quarantine.c.source_key == source_key
        with self._store.begin() as connection:
            found = connection.execute(
                select(quarantine.c.content).where(named, quarantine.c.resent_at.is_(None))
            ).scalar_one_or_none()
            if found is None:
                return
            left = [row for row in _unpacked(found) if row.line < line]
            if left:
                values = {"rows": len(left), "content": _packed(left)}
                connection.execute(update(quarantine).where(named).values(values))
            else:
                connection.execute(delete(quarantine).where(named))

    def mark_resent(self, account: Account, entry_id: int) -> None:
        self._change(account, entry_id, update(quarantine).values(resent_at=self._clock.now_us()))

    def drop(self, account: Account, entry_id: int) -> None:
        """Raises NotFound for an entry that is not the account's."""
        self._change(account, entry_id, delete(quarantine))

    def _change(self, account: Account, entry_id: int, statement: Any) -> None:
        with self._store.begin() as connection:
            if connection.execute(statement.where(*_is(account, entry_id))).rowcount == 0:
                raise _unknown(entry_id)


def _is(account: Account, entry_id: int) -> tuple[Any, ...]:
    return (quarantine.c.id == entry_id, quarantine.c.account_id == account.id)


def _unknown(entry_id: int) -> NotFound:
    return NotFound(f"There is no quarantine entry {entry_id}", hint="`airtally quarantine list` shows the entries")


def _packed(rows: Sequence[RejectedRow]) -> bytes:
    sink = pa.BufferOutputStream()
    encoder = msgspec.json.Encoder()
    with pa.CompressedOutputStream(sink, _CODEC) as out:
        for start in range(0, len(rows), 10_000):
            out.write(encoder.encode_lines(rows[start : start + 10_000]))
    return bytes(sink.getvalue())


def _unpacked(content: bytes) -> Iterator[RejectedRow]:
    decoder = msgspec.json.Decoder(RejectedRow)
    with pa.input_stream(pa.py_buffer(content), compression=_CODEC) as stream:
        yield from map(decoder.decode, stream.read().split(b"\n")[:-1])


def _rejected(error: RowError) -> RejectedRow:
    try:
        raw = bytes(error.raw).decode()
    except UnicodeDecodeError:
        packed = base64.b64encode(error.raw).decode()
        return RejectedRow(error.line, error.field, error.error, raw_base64=packed)
    return RejectedRow(error.line, error.field, error.error, raw=raw)
