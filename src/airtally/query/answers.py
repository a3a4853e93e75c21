"""Answers as they were written out, kept until a row of their stream comes in."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from airtally.kit import metrics
from airtally.kit.cache import Cache
from airtally.query.question import Question
from airtally.storage.lake.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An answer's text; every row received by `data_through_us` is in it."""

    body: bytes
    data_through_us: int
    generated_at_us: int


class AnswerCache:
    """At most `most` bytes are kept, those asked for last; 0 keeps none. Thread-safe by the lock of its `Cache`.

    An entry counts only for a view of the stream that holds the same rows.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: Cache[Hashable, tuple[Hashable, bytes]] = Cache(most, size_of=lambda entry: len(entry[1]))

    @property
    def enabled(self) -> bool:
        return self._most > 0

    def clear(self) -> None:
        """Forget all answers."""
        self._kept.clear()

    def get(self, key: Hashable, view: Snapshot, write: Callable[[], Iterable[bytes]]) -> bytes:
        """What `write` gives now, or gave on a snapshot of the same state."""
        state, body = self._kept.get(key) or (None, b"")
        if state is not None and state == view.state:
            metrics.ANSWER_CACHE_HITS.inc()
            return body
        metrics.ANSWER_CACHE_MISSES.inc()
        body = b"".join(write())
        if view.state is not None and len(body) <= self._most // 8:
            # the snapshot is older than the answer, which may hold later rows: then no later snapshot has its state
            self._kept.put(key, (view.state, body))
        return body


def key_of(question: Question, form: Hashable) -> Hashable:
    """`form` names the way in which the answer is written out."""
    return (
        *(form, question.stream.name, question.account, question.metrics, question.dimensions, question.where),
        *(question.start_us, question.end_us, str(question.zone), question.bucket, question.as_received),
        question.page,
    )
