"""Accepts a batch: unpack, decode, check, claim its key, quarantine wrong rows, write the others to the buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import msgspec
import pyarrow as pa
import structlog

from airtally.accounts.accounts import Account
from airtally.ingest.admission import Admission
from airtally.ingest.claims import Claim, Claims
from airtally.ingest.decode import (
    SMALL,
    Checked,
    DecodeLimits,
    RowError,
    UnpackedBody,
    is_read_by_piece,
    read_rows,
    unpacked,
)
from airtally.ingest.quarantine import Quarantine
from airtally.ingest.row_values import RowValues, made_rows, require_all, size_of
from airtally.ingest.versions import ChangelogVersions
from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import Failure
from airtally.kit.fair import Room, Slots, aside
from airtally.settings import Settings
from airtally.storage.buffer import Buffer, IntakeFigures, Receipt
from airtally.streams.declaration import Kind, Stream

_log = structlog.get_logger()

ERRORS_SHOWN = 100
#: Batches decoded at once, by whether they are large. Large ones are read mostly without the interpreter's lock, so that
#: two of them use two cores. Of small ones two at once take a quarter more time; having their own, they wait for no large.
_AT_ONCE = {False: 1, True: 2}
#: Bytes as sent above which a batch is large.
_LARGE = 64 << 10
#: Enough for a batch of 2,000 rows.
_TURN_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as it was sent. `whole`: a wrong row refuses all of it, and goes into no quarantine.

    `kind`: whose API took it; `sent`: its size in bytes, if `body` is another than what was sent.
    """

    stream: Stream
    account: Account
    body: bytes
    media_type: str
    content_encoding: str = ""
    idempotency_key: str | None = None
    source: str = "http"
    whole: bool = False
    kind: str = "native"
    sent: int | None = None

    def with_body(self, body: bytes, sent: int) -> Batch:
        return replace(self, body=body, sent=sent)

    def intake_of(self, checked: Checked) -> IntakeFigures:
        """What is counted of it."""
        size = len(self.body) if self.sent is None else self.sent
        return IntakeFigures(self.account.slug, self.kind, checked.rows.num_rows, len(checked.errors), size)


class ShownError(msgspec.Struct, frozen=True):
    line: int
    field: str | None
    error: str
    quarantined: bool | msgspec.UnsetType = msgspec.UNSET


class IngestAnswer(msgspec.Struct, frozen=True):
    """The answer's body. `quarantined` is false if a row, or any of the rows, could not be kept."""

    accepted: int
    rejected: int
    errors: list[ShownError]
    quarantined: bool | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True)
class Accepted:
    """An accepted batch. Send `answer` once `on_disk` is done; its exception is the batch's failure."""

    answer: bytes
    on_disk: Future[Receipt] | None = None
    claim: Claim | None = None


class Ingest:
    """Accepts batches; `accept` blocks and is meant for worker threads.

    Thread-safe: `Slots`, `Room` and the buffer have locks of their own, and all else here is set once.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        claims: Claims,
        quarantine: Quarantine,
        versions: ChangelogVersions,
        admission: Admission,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._buffer = buffer
        self._claims = claims
        self._quarantine = quarantine
        self._versions = versions
        self._admission = admission
        self._unpacked_max = settings.unpacked_max
        self._limits = DecodeLimits(unpacked_max=settings.unpacked_max)
        self._clock = clock
        self._slots = {large: Slots(count, turn=_TURN_SECONDS) for large, count in _AT_ONCE.items()}
        largest = settings.unpacked_max + settings.body_max
        self._room = Room(2 * largest, each=largest)

    def accept(self, batch: Batch) -> bytes:
        """Returns the answer's body once the rows are on disk. Raises a Failure if nothing was kept."""
        accepted = self.begin(batch)
        if accepted.on_disk is not None:
            try:
                accepted.on_disk.result()
            except Failure:
                self.abandon(accepted)
                raise
        return self.complete(accepted)

    def begin(self, batch: Batch) -> Accepted:
        """Everything up to the buffer's commit, which may still be in progress.

        The caller waits for `on_disk`, then calls `complete`, or `abandon` if it failed.
        """
        with self._slots[len(batch.body) > _LARGE].held(batch.account.slug):
            return self._begin(batch)

    def _begin(self, batch: Batch) -> Accepted:
        body = self.unpacked(batch)
        with self._room_for(batch, body) as limits, self._claimed(batch, body) as claim:
            if isinstance(claim, bytes):
                metrics.BATCHES_REPEATED.labels(batch.stream.name).inc()
                return Accepted(claim)
            checked = self.checked(batch, body, limits)
            return self.commit(batch, require_all(checked) if batch.whole else checked, claim)

    def unpacked(self, batch: Batch) -> UnpackedBody:
        """Unpack the body. Raises TooManyRequests, before any work, if the buffer has no room."""
        self._buffer.check_room(len(batch.body))
        return unpacked(batch.body, batch.content_encoding, unpacked_max=self._unpacked_max)

    @contextmanager
    def _room_for(self, batch: Batch, body: UnpackedBody) -> Iterator[DecodeLimits]:
        """Reserve memory for a large body, once and for the most that it may take."""
        slug, asked = batch.account.slug, False
        with ExitStack() as held:

            def holds(size: int) -> None:
                nonlocal asked
                if size > SMALL and not asked:
                    asked = True
                    held.enter_context(self._room.held(slug, body.size + self._unpacked_max))

            if body.size > SMALL:
                asked = True
                columns = 0 if is_read_by_piece(batch.media_type) else self._unpacked_max
                held.enter_context(self._room.held(slug, body.size + columns))
            yield replace(self._limits, holds=holds)

    def checked(self, batch: Batch, body: UnpackedBody, limits: DecodeLimits | None = None) -> Checked:
        rows = read_rows(batch.stream, body, batch.media_type, limits=limits or self._limits)
        return self._admission.check(batch.stream, batch.account, rows)

    def commit(self, batch: Batch, checked: Checked, claim: Claim | None = None) -> Accepted:
        """Quarantine the wrong rows and append the others to the buffer."""
        stream, account = batch.stream, batch.account
        self._buffer.check_room(checked.rows.nbytes)
        kept = self._quarantine.keep(account, stream.name, checked.errors, source=batch.source)
        answer = answer_of(checked.rows.num_rows, checked.errors, kept.rows)
        try:
            committed = self._to_buffer(batch, checked, claim, answer)
        except BaseException:
            self._quarantine.take_back(account, kept)
            raise
        if committed is None:
            return Accepted(answer)

        committed.add_done_callback(lambda done: _count(stream, checked.rows.num_rows, done))
        if kept.id is not None:
            committed = _undone(committed, lambda: self._quarantine.take_back(account, kept))
        return Accepted(answer, committed, claim)

    def _to_buffer(self, batch: Batch, checked: Checked, claim: Claim | None, answer: bytes) -> Future[Receipt] | None:
        """None if there is nothing to write."""
        stream, account, intake = batch.stream, batch.account, batch.intake_of(checked)
        with self._versions.resolved(stream, account, checked.rows, self._clock.now_us()) as rows:
            if rows.num_rows == 0 and claim is None:
                self._count_alone(stream, rows, intake)
                return None
            committed = self._buffer.append(
                stream, account.slug, rows, claim=None if claim is None else (claim.id, answer), intake=intake
            )
            if stream.kind is Kind.CHANGELOG:
                with aside():
                    committed.result()  # the next batch of this changelog must see these versions
            return committed

    def _count_alone(self, stream: Stream, no_rows: pa.Table, intake: IntakeFigures) -> None:
        """Count rows of which none is written. Where that fails the answer is the same: it says what became of them."""
        if not (intake.rows or intake.refused):
            return
        try:
            with aside():
                self._buffer.append(stream, intake.account, no_rows, intake=intake).result()
        except Failure as failure:
            _log.warning("refused rows are not counted", account=intake.account, error=failure.message)

    def put(self, stream: Stream, account: Account, rows: Sequence[RowValues], *, kind: str) -> None:
        """Append rows that the program makes of a call to the API `kind`. All are on disk when this returns, or none.

        Events, attributes and tags in them must be declared already. Raises InvalidRow for a wrong row,
        TooManyRequests, StorageFull or Unavailable.
        """
        self._buffer.check_room(0)
        made = self._admission.check(stream, account, made_rows(stream, rows), declare=False)
        batch = Batch(stream, account, b"", "", source="program", kind=kind, sent=size_of(rows))
        on_disk = self.commit(batch, require_all(made)).on_disk
        if on_disk is not None:
            on_disk.result()

    def complete(self, accepted: Accepted) -> bytes:
        """Store the answer of a claim whose rows are on disk."""
        if accepted.claim is not None:
            self._claims.answer(accepted.claim, accepted.answer)
        return accepted.answer

    def abandon(self, accepted: Accepted) -> None:
        """Release the claim of a batch whose commit failed, so that nothing was kept."""
        if accepted.claim is not None:
            self._claims.give_up(accepted.claim)

    @contextmanager
    def _claimed(self, batch: Batch, body: UnpackedBody) -> Iterator[Claim | bytes | None]:
        if batch.idempotency_key is None:
            yield None
            return
        claim = self._claims.take(batch.account.id, batch.stream.name, batch.idempotency_key, body)
        try:
            yield claim
        except BaseException:
            if isinstance(claim, Claim):
                self._claims.give_up(claim)
            raise


def refused(stream: str, failure: Failure) -> None:
    """Count a refused batch."""
    metrics.BATCHES_REFUSED.labels(stream, failure.code).inc()


def _undone(committed: Future[Receipt], undo: Callable[[], None]) -> Future[Receipt]:
    """A future with the same outcome; a failure is set after `undo` has run."""
    outcome: Future[Receipt] = Future()

    def done(future: Future[Receipt]) -> None:
        error = future.exception()
        if error is None:
            outcome.set_result(future.result())
            return
        try:
            undo()
        finally:
            outcome.set_exception(error)

    committed.add_done_callback(done)
    return outcome


def _count(stream: Stream, rows: int, done: Future[Receipt]) -> None:
    if done.exception() is None:
        metrics.ROWS_ACCEPTED.labels(stream.name).inc(rows)


def answer_of(accepted: int, errors: Sequence[RowError], kept: int | None = None) -> bytes:
    """The answer's body. The first `kept` of the refused rows are in quarantine; all of them if it is None."""
    kept = len(errors) if kept is None else kept
    shown = [
        ShownError(error.line, error.field, error.error, msgspec.UNSET if place < kept else False)
        for place, error in enumerate(errors[:ERRORS_SHOWN])
    ]
    return msgspec.json.encode(
        IngestAnswer(accepted, len(errors), shown, msgspec.UNSET if kept >= len(errors) else False)
    )
