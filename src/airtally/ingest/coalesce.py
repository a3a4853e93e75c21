"""Small batches that arrive at the same time are decoded and committed as one; each gets its own answer."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass

from airtally.ingest.decode import Checked
from airtally.ingest.service import Batch, Ingest, answer_of
from airtally.kit.errors import Failure

#: Bodies up to this size are gathered; a group is kept small, so that decoding it never holds up the event loop.
SMALL_BODY = 4096
_GROUP_BODIES = 256
_GROUP_BYTES = 64 << 10
#: Lines of a body that is gathered, and of a group: a line costs the same however short it is.
_SMALL_LINES = 64
_GROUP_LINES = 512

_Key = tuple[str, int]


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    answer: asyncio.Future[bytes]


class Coalescer:
    """While one group of a stream and account is on its way to the disk, the next one gathers.

    Belongs to one event loop. A group in which anything is wrong is taken apart, and each batch goes its own
    way, so a wrong batch concerns nobody else.
    """

    def __init__(self, ingest: Ingest) -> None:
        self._ingest = ingest
        self._waiting: defaultdict[_Key, deque[_Waiting]] = defaultdict(deque)
        self._working: dict[_Key, asyncio.Task[None]] = {}

    @staticmethod
    def takes(batch: Batch) -> bool:
        """Whether a batch is small, plain NDJSON of events, and needs no look into the metadata store."""
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
        """The answer's body, once the rows are on disk. Raises a Failure where nothing was kept."""
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
        whole = group[0].batch.with_body(b"\n".join(waiting.batch.body for waiting in group))
        try:
            checked = self._ingest.checked(whole, self._ingest.unpacked(whole))
            if checked.errors or checked.rows.num_rows != sum(counts):
                await self._apart(group)
                return
            await self._commit(whole, checked)
        except Failure:
            await self._apart(group)
            return
        except Exception as error:  # noqa: BLE001 (it is the waiting requests')
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
            except Exception as error:  # noqa: BLE001 (it is the waiting request's)
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
    """How many lines of a body are not blank."""
    return sum(1 for line in body.split(b"\n") if line.strip())
