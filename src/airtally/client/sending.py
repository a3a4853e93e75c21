"""Sending rows: each batch with an `Idempotency-Key` of its own, so that a try may be repeated without doubling rows."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, TypedDict, Unpack
from urllib.parse import quote

from airtally.client.batches import Batcher, BatchSize, EncodedBatch, EncodedRows, JsonBatcher, checked_key
from airtally.client.errors import AirtallyError, InvalidRequest
from airtally.client.exchange import Exchange, exchange
from airtally.client.messages import ApiRequest
from airtally.client.retry import RetryRules
from airtally.client.sent import BatchAnswer, SendResult, joined_answer, read_batch_answer

Compression = Literal["gzip", "zstd"]
_TOO_LARGE = 413


class SendOptions(TypedDict, total=False):
    """How rows are sent.

    `key`: with the same key, rows and size a call that failed may be repeated, also by another process within a week,
    and no row is doubled. `size` bounds a batch. `on_batch` is called with the result so far after each batch.
    """

    key: str | None
    size: BatchSize
    compression: Compression | None
    on_batch: Callable[[SendResult], object] | None


class Sending:
    """One call of `send`: makes the batches and counts their answers."""

    def __init__(self, stream: str, policy: RetryRules, **options: Unpack[SendOptions]) -> None:
        """Raises ValueError for options that cannot be used."""
        if unknown := options.keys() - SendOptions.__annotations__.keys():
            raise TypeError(f"send has no option {', '.join(sorted(unknown))}")
        self._compression = options.get("compression")
        if self._compression not in {None, "gzip", "zstd"}:
            raise ValueError("compression is 'gzip', 'zstd' or None")
        self.result = SendResult(checked_key(options.get("key")))
        self._path = f"/api/v1/streams/{quote(stream, safe='')}/events"
        self._policy, self._size = policy, options.get("size") or BatchSize()
        self._on_batch = options.get("on_batch")
        self._stopped = False

    def batches(self, rows: Any) -> Iterator[EncodedBatch]:
        """All of a table or an iterable. Raises RowNotEncodable."""
        if isinstance(rows, EncodedRows):
            yield from rows.batches
            return
        batcher = self.batcher(rows)
        yield from batcher.feed(rows)
        yield from batcher.finish()

    def batcher(self, rows: Any) -> Batcher:
        if isinstance(rows, str | bytes | dict):
            raise TypeError(f"rows are a table or an iterable of rows, not a {type(rows).__name__}")
        if _is_columns(rows):
            from airtally.client.tables import TableBatcher  # noqa: PLC0415 (pyarrow is loaded only for tables)

            return TableBatcher(self._size)
        return JsonBatcher(self._size)

    def exchange(self, batch: EncodedBatch) -> Exchange[BatchAnswer]:
        """Send a batch, in halves where it is larger than the server takes."""
        try:
            return (yield from self._at_once(batch))
        except InvalidRequest as refused:
            halves = batch.halves() if refused.status == _TOO_LARGE else None
            if halves is None:
                raise
        first, second, first_rows = halves
        answers = (yield from self.exchange(first)), (yield from self.exchange(second))
        return joined_answer(*answers, first_rows)

    def _at_once(self, batch: EncodedBatch) -> Exchange[BatchAnswer]:
        headers = {"Content-Type": batch.media_type, "Idempotency-Key": f"{self.result.key}/{batch.key}"}
        body = batch.body
        if self._compression is not None:
            headers["Content-Encoding"] = self._compression
            body = compressed(body, self._compression)
        request = ApiRequest("POST", self._path, headers=headers, body=body)
        understood = partial(read_batch_answer, rows=batch.rows)
        return exchange(request, understood, self._policy, self._policy.patience)

    def count(self, batch: EncodedBatch, answer: BatchAnswer) -> None:
        self.result.add(answer, batch.first)
        if self._on_batch is not None:
            self._on_batch(self.result)

    def stop(self) -> None:
        """No try is made after this: the call has ended."""
        self._stopped = True

    def is_stopped(self) -> bool:
        return self._stopped

    def explain(self, error: BaseException) -> None:
        """Tell what was acknowledged before an error, be it of the server or of the rows' own source."""
        if isinstance(error, AirtallyError):
            error.sent = self.result
        sent = self.result
        error.add_note(
            f"{sent.rows} rows were acknowledged before ({sent.accepted} accepted, {sent.rejected} rejected); "
            f"sending the same rows again with key={sent.key!r} doubles none"
        )


def _is_columns(rows: Any) -> bool:
    return any(hasattr(rows, name) for name in ("__arrow_c_stream__", "__arrow_c_array__"))


def compressed(body: bytes, compression: Compression) -> bytes:
    """The same body gives the same bytes."""
    if compression == "zstd":
        import pyarrow as pa  # noqa: PLC0415 (pyarrow is loaded only where it is needed)

        packed: bytes = pa.Codec("zstd", compression_level=1).compress(body, asbytes=True)
        return packed
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
