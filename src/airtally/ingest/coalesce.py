"""Small batches that arrive together are decoded and committed as one group; each gets its own answer."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass

from airtally.ingest.decode import Checked
from airtally.ingest.service import Batch, Ingest, answer_of
from airtally.kit.errors import Failure

#: Bodies up to this size are grouped. A group stays small, as it is decoded on the event loop.
SMALL_BODY = 4096
_GROUP_BODIES = 256
_GROUP_BYTES = 64 << 10
#: Most lines of a grouped body, and of a group: each line takes time, however short it is.
_SMALL_LINES = 64
_GROUP_LINES = 512

_Key = tuple[str, int]


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    answer: asyncio.Future[bytes]


class Coalescer:
    """Gathers the next group of a stream and account while the last one is being committed.

    If anything in a group is wrong, its batches are accepted one by one, so that a wrong batch affects no other. Not
    thread-safe: for one event loop.
    """

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._waiting: defaultdict[_Key, deque[_Waiting]] = defaultdict(deque)
        self._working: dict[_Key, asyncio.Task[None]] = {}

    @staticmethod
    def takes(batch: Batch) -> bool:
        """Whether a batch can be grouped: small, plain NDJSON of events, and checked without the metadata store."""
        return (
            len(batch.body) <= SMALL_BODY
            and batch.idempotency_key is None
            and batch.media_type == "application/x-ndjson"
            and not batch.content_encoding
            and batch.stream.key == ()
            and batch.stream.owned is None
            and batch.body.count(b"\n") <= _SMALL_LINES
        )

    async def accept(self, batch: Batch) -> bytes:
        """Returns the answer's body once the rows are on disk. Raises a Failure if nothing was kept."""
        key = (batch.stream.name, batch.account.id)
        waiting = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._waiting[key].append(waiting)
        if key not in self._working:
            self._working[key] = asyncio.create_task(self._work(key))
        return await waiting.answer

    async def _work(self, key: _Key) -> None:
        try:
            while group := _next_group(self._waiting[key]):
                await self._together(group)
        finally:
            del self._working[key], self._waiting[key]

    async def _together(self, group: list[_Waiting]) -> None:
        counts = [_count_lines(waiting.batch.body) for waiting in group]
        bodies = [waiting.batch.body for waiting in group]
        whole = group[0].batch.with_body(b"\n".join(bodies), sum(map(len, bodies)))
        try:
            checked = self._ingest.checked(whole, self._ingest.unpacked(whole))
            if checked.errors or checked.rows.num_rows != sum(counts):
                await self._apart(group)
                return
            await self._commit(whole, checked)
        except Failure:
            await self._apart(group)
            return
        except Exception as error:  # noqa: BLE001 (raised in the waiting requests)
            for waiting in group:
                _fail(waiting, error)
            return
        for waiting, count in zip(group, counts, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer_of(count, []))

    async def _commit(self, batch: Batch, checked: Checked) -> None:
        committed = self._ingest.commit(batch, checked).on_disk
        if committed is not None:
            await asyncio.wrap_future(committed)

    async def _apart(self, group: list[_Waiting]) -> None:
        for waiting in group:
            try:
                answer = await asyncio.to_thread(self._ingest.accept, waiting.batch)
            except Exception as error:  # noqa: BLE001 (raised in the waiting request)
                _fail(waiting, error)
            else:
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.answer.done():
        waiting.answer.set_exception(error)


def _next_group(waiting: deque[_Waiting]) -> list[_Waiting]:
    group: list[_Waiting] = []
    size = lines = 0
    while waiting and len(group) < _GROUP_BODIES and size < _GROUP_BYTES and lines < _GROUP_LINES:
        group.append(waiting.popleft())
        size += len(group[-1].batch.body)
        lines += group[-1].batch.body.count(b"\n") + 1
    return group


def _count_lines(body: bytes) -> int:
    """The number of lines that are not blank."""
    return sum(1 for line in body.split(b"\n") if line.strip())
