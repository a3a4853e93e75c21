"""Loads files: chunk by chunk directly into the lake, each chunk exactly once.

A chunk's commit has the file's identity as its application transaction and the position after the chunk as its version,
so that an interrupted load goes on where the lake says it ended. A file is identified by its unpacked content
(`places.py`); one that has grown is loaded from its last complete line on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.ingest.admission import Admission
from airtally.ingest.checked import Checked
from airtally.ingest.contents import Beginning, Beginnings, Content, is_text, unpacked_name
from airtally.ingest.decode import read_file
from airtally.ingest.loading import Appended, Load, Loading
from airtally.ingest.locks import Locks
from airtally.ingest.marks import FileMarks, LastLine, Mark
from airtally.ingest.places import Begin, Places
from airtally.ingest.quarantine import Quarantine
from airtally.ingest.tails import completed_line, tail_of
from airtally.kit.clock import Clock
from airtally.kit.prefetch import prefetch
from airtally.storage.store import EventStore, Overtaken
from airtally.streams.declaration import Stream

#: Called after each chunk with the result so far.
Progress = Callable[["FileResult"], None]

Chunks = Iterator[tuple[Checked, int]]


@dataclass(slots=True)
class FileResult:
    """The outcome of a load.

    `position` counts bytes of unpacked text, or rows of Parquet and Arrow; `resumed_at` is the position that an earlier
    load had reached, `size` the last one, if it is known beforehand. Of the `rejected` rows `quarantined` are kept.
    """

    path: Path
    accepted: int = 0
    rejected: int = 0
    quarantined: int = 0
    position: int = 0
    resumed_at: int = 0
    size: int | None = None


@dataclass(frozen=True, slots=True)
class _File:
    stream: Stream
    account: Account
    path: Path
    content: Content
    begin: Begin


class FileIngest:
    """Loads files. Of one account, stream and file name, one load at a time runs on a machine; the others wait.

    Thread-safe by that lock (`Locks`).
    """

    def __init__(
        self,
        *,
        admission: Admission,
        loading: Loading,
        event_store: EventStore,
        quarantine: Quarantine,
        marks: FileMarks,
        locks: Locks,
        clock: Clock,
    ) -> None:
        self._admission = admission
        self._loading = loading
        self._quarantine = quarantine
        self._marks = marks
        self._places = Places(marks, event_store.committed)
        self._locks = locks
        self._clock = clock

    def load(
        self, stream: Stream, account: Account, path: Path, *, again: bool = False, progress: Progress | None = None
    ) -> FileResult:
        """Load what is not loaded yet; `again` loads the whole file once more, as new rows.

        Raises BadRequest if the content is not of the type that the name says, OSError if it cannot be read.
        """
        read_file(stream, path)  # reads nothing yet, but fails for a name of an unknown type
        result = FileResult(path)
        with self._locks.held("file", account.slug, stream.name, unpacked_name(path)):
            while not self._tried(self._found(stream, account, path, again=again), result, progress):
                pass
        return result

    def _found(self, stream: Stream, account: Account, path: Path, *, again: bool) -> _File:
        begin, content = self._places.find(stream, account, path)
        if again:
            begin = Begin(f"file:{account.slug}:{content.digest}:{self._clock.now_us()}")
        return _File(stream, account, path, content, begin)

    def _tried(self, file: _File, result: FileResult, progress: Progress | None) -> bool:
        """False if another machine loads the same file meanwhile: then try again after the rows that it loaded."""
        begin = file.begin
        result.position, result.size = begin.position, file.content.size if is_text(file.path) else None
        result.resumed_at = max(result.resumed_at, begin.position)
        if begin.again is not None:
            self._quarantine.forget_from(begin.again, begin.again_line)
        try:
            self._load(file, result, progress)
        except Overtaken:
            return False
        return True

    def _load(self, file: _File, result: FileResult, progress: Progress | None) -> None:
        committed = file.begin.committed
        with _beginnings(file.path) as beginnings:
            for checked, position in prefetch(_chunks(file)):
                allowed = self._admission.check(file.stream, file.account, checked)
                mark = None if beginnings is None else _mark(file, result.position, beginnings.at(position), allowed)
                size = position - result.position if is_text(file.path) else allowed.rows.nbytes
                appended = self._append(file, position, committed, allowed, mark, size)
                if appended.rows:
                    committed = position
                result.quarantined += appended.quarantined
                result.accepted += allowed.rows.num_rows
                result.rejected += len(allowed.errors)
                result.position = position
                if progress is not None:
                    progress(result)
        self._end(file, result.position)

    def _append(  # noqa: PLR0917 (what is known of a chunk)
        self, file: _File, position: int, committed: int | None, rows: Checked, mark: Mark | None, size: int
    ) -> Appended:
        name, after = file.path.name, -1 if committed is None else committed

        def note(count: int) -> None:
            if mark is not None:
                noted = replace(mark, rows=count)
                self._marks.note(file.account, file.stream, unpacked_name(file.path), noted)

        load = Load(file.stream, file.account, file.begin.app_id, position, name, after, size)
        return self._loading.append(load, rows, note)

    def _end(self, file: _File, position: int) -> None:
        """Note the end of the load; a file loaded by a release that kept no marks gets its first one."""
        begin, content = file.begin, file.content
        if not is_text(file.path) or not position:
            return
        if position == begin.position == content.size and not begin.marked:
            mark = Mark(begin.app_id, position, position, content.digest, 1)
            self._marks.note(file.account, file.stream, unpacked_name(file.path), mark)
        self._marks.end(file.account, file.stream, begin.app_id, position)


def _beginnings(path: Path) -> AbstractContextManager[Beginnings | None]:
    return Beginnings(path) if is_text(path) else nullcontext()


def _chunks(file: _File) -> Chunks:
    """The chunks that are still to be loaded, each with the position after it."""
    start = file.begin.read_from
    if file.begin.rest_of is not None:
        error, start = completed_line(file.path, file.begin.rest_of)
        yield Checked(file.stream.row_schema.empty_table(), [error]), start
    yield from read_file(file.stream, file.path, start=start)


def _mark(file: _File, begins_at: int, end: Beginning | None, checked: Checked) -> Mark | None:
    """The mark of a chunk, to be noted before it is committed: what the file holds up to the chunk's end."""
    if end is None:
        return None  # the file was cut short since the chunk was read
    tail = tail_of(file.path, end, checked.errors)
    if tail is not None and tail[1] == file.begin.rest_of:
        tail = (LastLine.TAKEN, *tail[1:])
    kind, at, line = tail or (None, 0, 0)
    return Mark(file.begin.app_id, end.position, begins_at, end.digest, 0, kind, at, line)
