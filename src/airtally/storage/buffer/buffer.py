"""The buffer of this process: acknowledged rows on disk, and in memory for readers."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import structlog

from airtally.kit import metrics
from airtally.kit.clock import Clock
from airtally.kit.errors import StorageFull, TooManyRequests
from airtally.kit.faults import NO_FAULTS, Faults
from airtally.kit.time import SECOND_US
from airtally.storage.buffer import batches, damage, store
from airtally.storage.buffer.adopted import AdoptedBuffer, take_over
from airtally.storage.buffer.batches import Stamp
from airtally.storage.buffer.intake import IntakeCount, IntakeFigures
from airtally.storage.buffer.store import BufferStore
from airtally.storage.buffer.tail import Tail, TailPart
from airtally.storage.buffer.writer import BufferWriter, Pending, Receipt
from airtally.storage.marks import NO_MARKS, Marks
from airtally.streams import STREAMS
from airtally.streams.declaration import Stream

#: From this many rows a batch is packed by its caller; smaller ones are joined first, which packs them at a fifth
#: of the cost.
_LARGE_ROWS = 4096
_RETRY_AFTER = 5
_TRY_AGAIN_US = 60 * SECOND_US

_log = structlog.get_logger()


class Buffer:
    """The file of this process, those of dead processes that it adopted, and their rows in memory. See `Buffer.open`.

    Thread-safe: a lock guards the counts of bytes and the lists of files, the writer's thread alone uses the
    files, and `adopt_orphans` and `tidy` belong to the thread that flushes.
    """

    def __init__(self, folder: Path, *, clock: Clock, max_bytes: int, faults: Faults, marks: Marks) -> None:
        self.folder = folder
        self.id = uuid.uuid4().hex
        self._clock = clock
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._live = 0
        self._pending = 0
        self._adopted: dict[str, AdoptedBuffer] = {}
        #: Told the id of an adopted buffer whose rows are all in the lake, before its file goes.
        self.on_drained: Callable[[str], object] = lambda _: None
        self._left: dict[str, str] = {}
        self._next_try: dict[str, int] = {}
        stamp = Stamp(self.id)
        self._store = BufferStore.create(folder, self.id)
        self._tail = Tail(self.id, stamp.column)
        self._marks = marks
        marks.join(self.id)
        self._writer = BufferWriter(
            *(self._store, self._tail, stamp), clock=clock, faults=faults, written=self._changed, marks=marks
        )
        self._writer.start()
        self._closed = False

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        clock: Clock,
        max_bytes: int = 1 << 30,
        faults: Faults = NO_FAULTS,
        marks: Marks = NO_MARKS,
        adopt: bool = True,
    ) -> Buffer:
        """A new buffer in `folder`; those of dead processes are adopted. Its commits are marked in `marks`."""
        folder.mkdir(parents=True, exist_ok=True)
        buffer = cls(folder, clock=clock, max_bytes=max_bytes, faults=faults, marks=marks)
        if adopt:
            buffer.adopt_orphans()
        return buffer

    def append(
        self,
        stream: Stream,
        account: str,
        rows: pa.Table,
        *,
        claim: tuple[str, bytes] | None = None,
        intake: IntakeFigures | None = None,
    ) -> Future[Receipt]:
        """Keep `rows` (`stream.row_schema`), the claim's answer and what is counted with them: all on disk, or nothing.

        Raises TooManyRequests when the buffer is over its limit; the future raises StorageFull or
        Unavailable where the disk refuses. Many rows are packed on the caller's thread.
        """
        if rows.schema != stream.row_schema:
            rows = rows.select(stream.row_schema.names).cast(stream.row_schema)
        parts, size = None, rows.nbytes
        if rows.num_rows == 0:
            parts, size = [], 0
        elif rows.num_rows >= _LARGE_ROWS:
            whole = batches.with_account(rows, account)
            parts = batches.parts_of(stream, whole, frozenset((account,)), self._clock.now_us())
            size = sum(part.content.size for part in parts)
        return self._put(Pending(stream, account, rows, parts, claim, size, Future(), intake))

    def append_together(
        self, account: str, tables: Sequence[tuple[Stream, pa.Table]], *, intake: IntakeFigures | None = None
    ) -> Future[Receipt]:
        """Rows of several streams: all on disk, or nothing. Raises as `append` does."""
        if len(tables) == 1:
            return self.append(tables[0][0], account, tables[0][1], intake=intake)
        parts = [
            part
            for stream, rows in tables
            for part in batches.parts_of(
                stream, batches.with_account(rows, account), frozenset((account,)), self._clock.now_us()
            )
        ]
        stream, rows = tables[0]
        size = sum(part.content.size for part in parts)
        return self._put(Pending(stream, account, rows, parts, None, size, Future(), intake))

    def _put(self, pending: Pending) -> Future[Receipt]:
        self._take_room(pending.size)
        done = pending.done
        done.set_running_or_notify_cancel()  # whoever waits may go away; the rows are written all the same
        done.add_done_callback(lambda _: self._give_room_back(pending.size))
        self._writer.put(pending)
        return done

    def intakes(self) -> dict[str, list[IntakeCount]]:
        """What requests brought and is not forgotten yet, by buffer: this one and those that it adopted."""
        return self._writer.call(lambda: {file.id: found for file in self._stores() if (found := file.intakes())})

    def forget_intakes(self, through: Mapping[str, int]) -> None:
        """Forget what is counted elsewhere: by buffer the number of the last one."""

        def forget() -> None:
            for file in self._stores():
                if file.id in through:
                    file.forget_intakes(through[file.id])

        self._writer.call(forget)

    def check_room(self, size: int) -> None:
        """Raises TooManyRequests where `size` more bytes would go over the limit."""
        with self._lock:
            room = self._has_room(size)
        if not room:
            self._refuse()

    def check_disk(self) -> None:
        """Raises StorageFull where a write has just failed for want of room."""
        if self._writer.lacked_room:
            raise StorageFull("The disk of the buffer is full")

    def tail(self, stream: Stream) -> list[TailPart]:
        """The rows of a stream in this process's buffer and in those it adopted."""
        with self._lock:
            tails = [self._tail, *(each.tail for each in self._adopted.values())]
        return [part for tail in tails for part in tail.parts(stream.name)]

    def through_us(self) -> int:
        """All rows received by then are in a tail read after this call."""
        return self._writer.moment.through()

    @property
    def ids(self) -> tuple[str, ...]:
        """Its own id and those of the adopted ones."""
        with self._lock:
            return (self.id, *self._adopted)

    @property
    def adopted(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(self._adopted)

    @property
    def live_bytes(self) -> int:
        with self._lock:
            return self._live

    def streams(self) -> list[Stream]:
        """Those with rows."""
        with self._lock:
            tails = [self._tail, *(each.tail for each in self._adopted.values())]
        return [STREAMS[name] for name in sorted({name for tail in tails for name in tail.streams})]

    def discard(self, stream: Stream, part: TailPart, through: int) -> None:
        """Forget flushed batches. Call it only when readers can see them in the lake."""
        adopted = self._adopted_file(part.buffer_id)
        if adopted is None and part.buffer_id != self.id:
            return  # tidied away meanwhile; its numbers mean other rows in this process's own file
        tail = self._tail if adopted is None else adopted.tail
        self._changed(-tail.drop(stream.name, part.lane, through))
        file = self._store if adopted is None else adopted.store
        while self._writer.call(lambda: file.discard_some(stream.name, part.lane, through)):
            pass

    def tidy(self) -> None:
        """After a flush: empty the write-ahead logs and remove adopted files that hold nothing more."""
        with self._lock:
            files = list(self._adopted.values())
        for adopted in files:
            if self._writer.call(lambda file=adopted.store: file.empty):  # type: ignore[misc]
                self.on_drained(adopted.store.id)
                with self._lock:
                    del self._adopted[adopted.store.id]
                self._writer.call(adopted.store.remove)
            else:
                self._writer.call(adopted.store.truncate_log)
        store.copy_log(self._store.path)
        self._writer.call(self._store.truncate_log)

    def scrub(self) -> None:
        """Overwrite what flushed batches have left in the files, on disk when this returns. Appends wait meanwhile."""
        for file in self._stores():
            self._writer.call(file.scrub)

    def adopt_orphans(self) -> list[str]:
        """Take over the files of dead processes; returns their ids."""
        found = []
        self._marks.mend()
        for path in damage.orphans(self.folder):
            adopted = None if path.stem in self.ids else self._take_over(path)
            if adopted is None:
                continue
            file = adopted.store
            with self._lock:
                self._adopted[file.id] = adopted
                self._live += adopted.size
            found.append(file.id)
            _log.info("adopted a buffer", buffer=file.id, bytes=adopted.size)
        return found

    def problems(self) -> list[str]:
        """What an operator must know of buffers that were damaged, until what is kept of them is removed."""
        with self._lock:
            left = list(self._left.values())
        return [*map(str, damage.kept(self.folder)), *left]

    def _take_over(self, path: Path) -> AdoptedBuffer | None:
        """None where the file cannot be recovered now, as on a full disk; it is tried again after a minute."""
        now = self._clock.now_us()
        if now < self._next_try.get(path.stem, now):
            return None
        with self._lock:
            self._left.pop(path.stem, None)
        try:
            with self._marks.committing():
                return take_over(path)
        except (sqlite3.Error, OSError) as error:
            self._next_try[path.stem] = now + _TRY_AGAIN_US
            with self._lock:
                self._left[path.stem] = f"buffer {path} cannot be taken over now, which is tried again: {error}"
            _log.exception("a buffer cannot be taken over now", file=str(path))
            return None

    def claim_answer(self, claim_id: str) -> bytes | None:
        """The answer committed with a claim's rows, in this buffer or an adopted one."""
        return self._writer.call(partial(self._claim_answer, claim_id))

    def _claim_answer(self, claim_id: str) -> bytes | None:
        answers = (file.claim_answer(claim_id) for file in self._stores())
        return next((answer for answer in answers if answer is not None), None)

    def forget_claims(self, claim_ids: Iterable[str]) -> None:
        self._writer.call(partial(self._forget_claims, list(claim_ids)))

    def _forget_claims(self, claim_ids: list[str]) -> None:
        for file in self._stores():
            file.forget_claims(claim_ids)

    def settled(self, buffer_id: str) -> None:
        """The metadata store knows all claims of an adopted buffer: its file may go once it is empty."""
        adopted = self._adopted_file(buffer_id)
        if adopted is not None:
            self._writer.call(adopted.store.forget_all_claims)

    def close(self) -> None:
        """To be called after a flush; what is not flushed is adopted by the next process."""
        if self._closed:
            return
        self._closed = True
        self._writer.stop()
        for file in self._stores():
            try:
                ended = file.empty
            except sqlite3.DatabaseError:
                ended = False
                _log.exception("a buffer cannot be read at the stop; the next start recovers it", file=str(file.path))
            if ended:
                file.remove()
            else:
                file.close()

    def _adopted_file(self, buffer_id: str) -> AdoptedBuffer | None:
        with self._lock:
            return self._adopted.get(buffer_id)

    def _stores(self) -> list[BufferStore]:
        """All files, to be asked for on the writer's thread: `tidy` removes one between two of its calls."""
        with self._lock:
            return [self._store, *(each.store for each in self._adopted.values())]

    def _changed(self, size: int = 0) -> None:
        with self._lock:
            self._live += size
            metrics.BUFFER_BYTES.set(self._live)

    def _take_room(self, size: int) -> None:
        with self._lock:
            room = self._has_room(size)
            if room:
                self._pending += size
        if not room:
            self._refuse()

    def _has_room(self, size: int) -> bool:
        """To be asked under the lock."""
        return self._live + self._pending + size <= self._max_bytes

    def _give_room_back(self, size: int) -> None:
        with self._lock:
            self._pending -= size

    def _refuse(self) -> NoReturn:
        self._changed()
        raise TooManyRequests("The server's buffer is full", hint="Send again later", retry_after=_RETRY_AFTER)
