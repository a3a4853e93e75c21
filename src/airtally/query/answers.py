"""Answers as they were written out, kept until a row of their stream comes in."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace

from airtally.files.gzip import PackedText, packed_text
from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.query.question import Question
from airtally.storage.lake.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An answer's text; every row received by `data_through_us` is in it. `pack` gives it packed, kept with it."""

    body: bytes
    data_through_us: int
    generated_at_us: int
    pack: Callable[[], PackedText]


@dataclass(frozen=True, slots=True)
class _KeptAnswer:
    state: Hashable
    body: bytes
    packed: PackedText | None = None

    @property
    def size(self) -> int:
        return len(self.body) + (0 if self.packed is None else len(self.packed.content))


class AnswerCache:
    """At most `most` bytes are kept, those asked for last; 0 keeps none. Thread-safe by the lock of its `Cache`.

    An entry counts only for a view of the stream that holds the same rows.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: Cache[Hashable, _KeptAnswer] = Cache(most, size_of=lambda entry: entry.size)

    @property
    def enabled(self) -> bool:
        return self._most > 0

    def clear(self) -> None:
        """Forget all answers."""
        self._kept.clear()

    def get(self, key: Hashable, view: Snapshot, write: Callable[[], Iterable[bytes]]) -> bytes:
        """What `write` gives now, or gave on a snapshot of the same state."""
        kept = self._kept.get(key)
        if kept is not None and kept.state == view.state:
            metrics.ANSWER_CACHE_HITS.inc()
            return kept.body
        metrics.ANSWER_CACHE_MISSES.inc()
        body = b"".join(write())
        if view.state is not None and len(body) <= self._most // 8:
            # the snapshot is older than the answer, which may hold later rows: then no later snapshot has its state
            self._kept.put(key, _KeptAnswer(view.state, body))
        return body

    def packed(self, key: Hashable, body: bytes) -> PackedText:
        """What `get` gave, packed; of an answer that is kept this is kept too, once it was asked for."""
        kept = self._kept.get(key)
        if kept is None or kept.body is not body:
            return packed_text(body)
        if kept.packed is None:
            kept = replace(kept, packed=packed_text(body))
            self._kept.put(key, kept)
        return kept.packed or packed_text(body)


def key_of(question: Question, form: Hashable) -> Hashable:
    """`form` names the way in which the answer is written out."""
    return (
        *(form, question.stream.name, question.account, question.metrics, question.dimensions, question.where),
        *(question.start_us, question.end_us, str(question.zone), question.bucket, question.as_received),
        question.page,
    )
