"""Rows as bodies of requests: batches bounded by rows and by bytes, cut at the same rows each time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import msgspec

from airtally.client.errors import RowNotEncodable

NDJSON = "application/x-ndjson"
#: Characters of a key that leave room for a batch's number: the server takes 255 bytes.
_KEY_BYTES = 230


@dataclass(frozen=True, slots=True)
class BatchSize:
    """The largest batch. The defaults fit what the server reads without waiting for memory: 8 MiB."""

    rows: int = 50_000
    bytes: int = 8 << 20

    def __post_init__(self) -> None:
        if self.rows < 1 or self.bytes < 1:
            raise ValueError("a batch has at least one row and one byte")


@dataclass(frozen=True, slots=True)
class EncodedBatch:
    """`first` is the position of its first row among the rows given; `number` counts batches from 0.

    `rows`: how many the answer must account for; None where only the server counts them, and then it is not cut.
    `part` says which part it is of a batch that was cut in halves: `ab` is the second half of the first.
    """

    number: int
    first: int
    rows: int | None
    media_type: str
    body: bytes
    part: str = ""

    @property
    def key(self) -> str:
        """Its own among those of a call, and short: see _KEY_BYTES."""
        return f"{self.number}{self.part}"

    def halves(self) -> tuple[EncodedBatch, EncodedBatch, int] | None:
        """Always the same halves, and the rows of the first; None for a single row, or where rows are not counted."""
        if self.rows is None or self.rows < 2:
            return None
        left = self.rows // 2
        if self.media_type == NDJSON:
            bodies = _cut_lines(self.body, left)
        else:
            from airtally.client.tables import cut_table  # noqa: PLC0415 (pyarrow is loaded only for tables)

            bodies = cut_table(self.body, left)
        return (
            replace(self, rows=left, body=bodies[0], part=f"{self.part}a"),
            replace(self, first=self.first + left, rows=self.rows - left, body=bodies[1], part=f"{self.part}b"),
            left,
        )


@dataclass(frozen=True, slots=True)
class EncodedRows:
    """Rows that are batches already, such as the lines of a file; given to `send`, they are sent as they are."""

    batches: Iterable[EncodedBatch]


class Batcher(Protocol):
    """Gathers rows, however many are fed at once, and holds those of one batch at most."""

    def feed(self, rows: Any) -> Iterator[EncodedBatch]:
        """Take rows; gives each batch as soon as it is full."""

    def finish(self) -> Iterator[EncodedBatch]:
        """The last batch, if rows are left."""


class JsonBatcher:
    """Rows as NDJSON: mappings, dataclasses, or structs of msgspec. NaN and infinity become null."""

    def __init__(self, size: BatchSize) -> None:
        self._size = size
        self._encoder = msgspec.json.Encoder(enc_hook=_plain_value, decimal_format="string")
        self._body = bytearray()
        self._rows = self._number = self._first = 0

    def feed(self, rows: Iterable[Any]) -> Iterator[EncodedBatch]:
        """Raises RowNotEncodable; the rows before stay, and go with the next batch."""
        body, encode, size = self._body, self._encoder.encode_into, self._size
        for row in rows:
            begin = len(body)
            try:
                encode(row, body, -1)
            except Exception as error:
                del body[begin:]
                raise RowNotEncodable(self._first + self._rows, error) from error
            body.append(10)
            self._rows += 1
            if self._rows < size.rows and len(body) < size.bytes:
                continue
            if len(body) <= size.bytes or self._rows == 1:
                yield self._cut(len(body), self._rows)
            else:
                yield self._cut(begin, self._rows - 1)
                if len(body) >= size.bytes:  # the row alone
                    yield self._cut(len(body), 1)

    def finish(self) -> Iterator[EncodedBatch]:
        if self._rows:
            yield self._cut(len(self._body), self._rows)

    def _cut(self, end: int, rows: int) -> EncodedBatch:
        batch = EncodedBatch(self._number, self._first, rows, NDJSON, bytes(memoryview(self._body)[:end]))
        del self._body[:end]
        self._number, self._first, self._rows = self._number + 1, self._first + rows, self._rows - rows
        return batch


def _cut_lines(body: bytes, lines: int) -> tuple[bytes, bytes]:
    """The first so many lines, each with its end, and the others."""
    end = 0
    for _ in range(lines):
        end = body.index(b"\n", end) + 1
    return body[:end], body[end:]


def _plain_value(value: Any) -> Any:
    """For types that msgspec does not know: numpy's numbers, pandas' timestamps, paths and the like."""
    for name in ("tolist", "isoformat"):
        method = getattr(value, name, None)
        if callable(method):
            return method()
    raise TypeError(f"values of type {type(value).__name__} have no form in JSON")


def checked_key(key: str | None) -> str:
    """The key given, or a new one. Raises ValueError for one that the server does not take."""
    if key is None:
        return uuid.uuid4().hex
    if not key or not key.isprintable() or len(key.encode()) > _KEY_BYTES:
        raise ValueError(f"a key has 1 to {_KEY_BYTES} printable characters")
    return key
