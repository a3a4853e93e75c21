"""Finds where to begin loading a file, which may have been loaded before: in part, packed differently, or shorter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from airtally.accounts.accounts import Account
from airtally.ingest.contents import Content, has_lines, is_packed, raw_digest, read_content, unpacked_name
from airtally.ingest.marks import FileMarks, LastLine, Mark, reached
from airtally.streams.declaration import Stream

#: From stream and application id: the version that was committed last, None for none.
Committed = Callable[[Stream, str], int | None]


@dataclass(frozen=True, slots=True)
class Begin:
    """`app_id` identifies the file in the lake, which has it up to `committed`. It is loaded up to `position`, for
    which there is a mark if it is `marked`. Reading begins at `read_from`.

    `rest_of` is where a line begins that was loaded before its end was written. The refused rows of the quarantine
    entry `again`, from line `again_line` on, are to be read again.
    """

    app_id: str
    position: int = 0
    committed: int | None = None
    marked: bool = False
    read_from: int = 0
    rest_of: int | None = None
    again: str | None = None
    again_line: int = 0


@dataclass(frozen=True, slots=True)
class _Known:
    """What was loaded of a file; `mark` is None if only the lake has it."""

    app_id: str
    position: int
    committed: int | None
    mark: Mark | None


class Places:
    def __init__(self, marks: FileMarks, committed: Committed) -> None:
        self._marks = marks
        self._committed = committed

    def find(self, stream: Stream, account: Account, path: Path) -> tuple[Begin, Content]:
        """Raises BadRequest if the file cannot be unpacked, OSError if it cannot be read."""
        named = self._marks.named(account, stream, unpacked_name(path)) if has_lines(path) else []
        grown = list(self._reached(stream, account, {mark.app_id for mark in named}))
        content = read_content(path, [known.position for known in grown])
        same = list(self._same(stream, account, path, content))
        found = same + [known for known in grown if known.position and _begins_with(content, known)]
        if not found:
            return Begin(file_identity(account, content.digest)), content
        return _begin(max(found, key=lambda known: known.position), content), content

    def _same(self, stream: Stream, account: Account, path: Path, content: Content) -> list[_Known]:
        """Earlier loads of the same content: by its identity, by that of earlier releases, or as a grown file."""
        ids = [file_identity(account, content.digest)]
        if is_packed(path):
            ids.append(file_identity(account, raw_digest(path)))
        ids += [mark.app_id for mark in self._marks.holding(account, stream, content.digest)]
        return [
            known for known in self._reached(stream, account, set(ids)) if known.committed is not None or known.position
        ]

    def _reached(self, stream: Stream, account: Account, app_ids: set[str]) -> list[_Known]:
        marks: dict[str, list[Mark]] = {app_id: [] for app_id in sorted(app_ids)}
        for mark in self._marks.of_files(account, stream, app_ids):
            marks[mark.app_id].append(mark)
        found = []
        for app_id, its in marks.items():
            committed = self._committed(stream, app_id)
            position = reached(committed, its)
            at = next((mark for mark in its if mark.position == position), None)
            found.append(_Known(app_id, position, committed, at))
        return found


def file_identity(account: Account, digest: str) -> str:
    """The identity of a file: the same content of the same account, under any path and however packed."""
    return f"file:{account.slug}:{digest}"


def _begins_with(content: Content, known: _Known) -> bool:
    beginning = content.beginnings.get(known.position)
    return beginning is not None and known.mark is not None and beginning.digest == known.mark.digest


def _begin(known: _Known, content: Content) -> Begin:
    mark, at = known.mark, known.position
    begin = Begin(known.app_id, at, known.committed, marked=mark is not None, read_from=at)
    if mark is None or mark.tail is None or at >= content.size:
        return begin
    if mark.tail is not LastLine.OPEN_QUOTE and at in content.followed_by_line_end:
        return begin
    if mark.tail is LastLine.TAKEN:
        return replace(begin, rest_of=mark.tail_at)
    entry = entry_key(known.app_id, at)
    return replace(begin, read_from=mark.tail_at, again=entry, again_line=mark.tail_line)


def entry_key(app_id: str, position: int) -> str:
    """The `source_key` of a chunk's quarantine entry."""
    return f"{app_id}:{position}"
