"""What was seen of each stream at the last look at buffers and lake, for as long as the marks say that it is so still."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.storage.buffer import TailPart
from airtally.storage.lake import TableVersion
from airtally.storage.lake.snapshot import Snapshot
from airtally.storage.marks import Marks
from airtally.streams.declaration import Stream

#: Snapshots made of one look, by account and bounds.
_MOST_SNAPSHOTS = 1000

_REMEMBERED, _LOOKED = (metrics.SNAPSHOTS.labels(way) for way in ("remembered", "looked"))


def _no_snapshots() -> Cache[Hashable, Snapshot]:
    return Cache(_MOST_SNAPSHOTS)


@dataclass(frozen=True, slots=True)
class Look:
    """The buffered rows of a stream and a version of its table, read in this order after `token` was taken."""

    token: Hashable | None
    tails: list[TailPart]
    table_version: TableVersion | None
    snapshots: Cache[Hashable, Snapshot] = field(default_factory=_no_snapshots)


class Looks:
    """The last look at each stream. Thread-safe: a look is immutable, and replaced by assignment."""

    def __init__(self, marks: Marks) -> None:
        self._marks = marks
        self._kept: dict[str, Look] = {}

    def begin(self) -> Hashable | None:
        """To be called before buffers and lake are read for a look; gives its token."""
        return self._marks.token()

    def end(self, stream: Stream, look: Look, buffers: frozenset[str]) -> None:
        """Remember a look if nobody was within a commit; `buffers` are those of other processes."""
        self._marks.note_owners(buffers)
        _LOOKED.inc()
        if self._marks.settled(look.token) and self._marks.token() is not None:
            self._kept[stream.name] = look

    def last(self, stream: Stream) -> Look | None:
        """The last look, if nobody has committed since."""
        kept, token = self._kept.get(stream.name), self._marks.token()
        if kept is None or token is None or kept.token != token:
            return None
        _REMEMBERED.inc()
        return kept

    def forget(self, stream: Stream) -> None:
        """Let go of rows that are in the lake now."""
        self._kept.pop(stream.name, None)
