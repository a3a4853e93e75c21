"""Answers as they were written out, kept until a row of their stream comes in."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass

from airtally.kit import metrics
from airtally.query.question import Question
from airtally.storage.lake.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class WrittenAnswer:
    """An answer's text; every row received by `data_through_us` is in it."""

    body: bytes
    data_through_us: int
    generated_at_us: int


class AnswerCache:
    """Thread-safe. `most` bytes are kept, those asked last; 0 keeps none.

    An entry counts only for a view of the stream that holds the same rows.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[Hashable, tuple[Hashable, bytes]] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def enabled(self) -> bool:
        return self._most > 0

    def get(self, key: Hashable, view: Snapshot, write: Callable[[], Iterable[bytes]]) -> bytes:
        """What `write` gives now, or gave on a snapshot of the same state."""
        with self._lock:
            state, body = self._kept.get(key, (None, b""))
            if state is not None and state == view.state:
                self._kept.move_to_end(key)
                metrics.ANSWER_CACHE_HITS.inc()
                return body
        metrics.ANSWER_CACHE_MISSES.inc()
        body = b"".join(write())
        if view.state is not None and len(body) <= self._most // 8:
            self._keep(key, view.state, body)
        return body

    def _keep(self, key: Hashable, state: Hashable, body: bytes) -> None:
        """The snapshot was taken before the answer, which may hold later rows: then its state is that of no later one."""
        with self._lock:
            self._size += len(body) - len(self._kept.pop(key, (None, b""))[1])
            self._kept[key] = (state, body)
            while self._size > self._most:
                self._size -= len(self._kept.popitem(last=False)[1][1])


def key_of(question: Question, form: Hashable) -> Hashable:
    """`form` names the way in which the answer is written out."""
    return (
        *(form, question.stream.name, question.account, question.metrics, question.dimensions, question.where),
        *(question.start_us, question.end_us, str(question.zone), question.bucket, question.as_received),
    )
