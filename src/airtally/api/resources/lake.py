"""`/api/v1/lake`: the lake's tables, rollups and writers, and their maintenance at once. For operators."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec

from airtally.accounts.audit import note_change
from airtally.accounts.permissions import Permission
from airtally.api.operation import NoFields, OperationCall, OperationReply, PlainCall, operation
from airtally.api.pages import ListingPage, PageQuery, page_of
from airtally.api.times import shown_moment
from airtally.kit.errors import Conflict, NotFound
from airtally.lake_care.actions import LakeAction
from airtally.lake_care.rollup_states import RollupState, rollup_states
from airtally.lake_care.tables import MissingFile, check_stream, damaged_tables, missing_files, statuses
from airtally.lake_care.worker import KIND, ask_for
from airtally.services import Services
from airtally.storage.lake.damage import TableDamaged
from airtally.storage.lake.status import TableStatus
from airtally.storage.writers import Writer
from airtally.tasks.task import Task, TaskState

_TASK = {
    "id": 12,
    "action": "compact",
    "stream": "playlogs",
    "state": "done",
    "results": [{"stream": "playlogs", "days_rewritten": 3}],
    "error": None,
    "requested_by": "user op",
    "created_at": "2026-11-02T09:15:00.000000Z",
    "ended_at": "2026-11-02T09:15:09.000000Z",
}


class LakeQuery(msgspec.Struct, forbid_unknown_fields=True):
    """`stream`: of this one only."""

    stream: str | None = None


class MissingQuery(PageQuery):
    """`stream`: of this one only."""

    stream: str | None = None


class LakeTables(msgspec.Struct, frozen=True):
    """`items`: the tables that exist. `damaged`: what is wrong with those whose log cannot be read."""

    items: list[TableStatus]
    damaged: list[str]


class WriterAnswer(msgspec.Struct, frozen=True):
    """`state`: live or silent. All its rows received by `data_through` are in the lake."""

    id: str
    host: str
    state: str
    seen: str
    data_through: str


class NewLakeTask(msgspec.Struct, forbid_unknown_fields=True):
    """`action` of the table of one `stream`, or of all.

    `rebuild-rollups` drops segments first, where their rows are there.
    """

    action: LakeAction
    stream: str | None = None


class LakeTaskAnswer(msgspec.Struct, frozen=True):
    """`results`: what each finished step did, table by table or rollup by rollup. `error`: why it failed."""

    id: int
    action: str
    stream: str | None
    state: TaskState
    results: list[dict[str, Any]]
    error: str | None
    requested_by: str
    created_at: str
    ended_at: str | None


class LakeResource:
    def __init__(self, services: Services) -> None:
        self._storage = services.storage
        self._retention = services.settings.retention
        self._tasks = services.tasks
        self._clock = services.clock

    @operation(
        *("GET", "/lake/tables", Permission.OPERATOR, "Status of the lake's tables"),
        failures=(NotFound, TableDamaged),
    )
    def list_lake_tables(self, call: OperationCall[LakeQuery, None]) -> LakeTables:
        """Rows, files and log of each stream's table, and what is out of order. Read from the logs."""
        lake, stream = self._storage.lake, call.query.stream
        damaged = damaged_tables(lake) if stream is None else []
        return LakeTables(statuses(lake, stream), [f"{each.message}. {each.hint}" for each in damaged])

    @operation(
        *("GET", "/lake/rollups", Permission.OPERATOR, "Status of the rollups"),
        failures=(NotFound, TableDamaged),
    )
    def list_lake_rollups(self, call: OperationCall[LakeQuery, None]) -> ListingPage[RollupState]:
        """How many months of accounts have segments, and how many of them are stale."""
        storage = self._storage
        return ListingPage(rollup_states(storage.lake, storage.rollups, self._retention, call.query.stream), None)

    @operation(
        *("GET", "/lake/missing-files", Permission.OPERATOR, "List missing data files"),
        failures=(NotFound, TableDamaged),
    )
    def list_missing_files(self, call: OperationCall[MissingQuery, None]) -> ListingPage[MissingFile]:
        """Each page looks for every file, which takes a while on a bucket.

        Restore them from a backup, if there is one.
        """
        after, limit = call.query.position or 0, call.query.limit
        numbered = enumerate(missing_files(self._storage.lake, call.query.stream), 1)
        found = list(islice(numbered, after, after + limit + 1))
        return page_of(found, limit, lambda each: each[1], lambda each: each[0])

    @operation("GET", "/lake/writers", Permission.OPERATOR, "List writers")
    def list_writers(self, call: PlainCall) -> ListingPage[WriterAnswer]:  # noqa: ARG002 (the same for all)
        """Whose rows answers wait for, the one that is furthest behind first."""
        return ListingPage([_writer_answer(each) for each in self._storage.writers.all()], None)

    @operation(
        *("DELETE", "/lake/writers/{writer}", Permission.OPERATOR, "Give up a writer"),
        status=204,
        failures=(NotFound, Conflict),
    )
    def give_up_writer(self, call: PlainCall) -> None:
        """Stop waiting for one whose machine is lost for good: the rows that only its buffer had are lost too."""
        writer, now = call.text("writer"), self._clock.now_us()
        self._storage.writers.give_up(
            writer,
            lambda connection: note_change(connection, now, "writer.give-up", f"writer {writer}", account_id=None),
        )

    @operation(
        *("POST", "/lake/tasks", Permission.OPERATOR, "Have tables maintained at once"),
        status=202,
        answer=LakeTaskAnswer,
        failures=(NotFound,),
        example={"action": "compact", "stream": "playlogs"},
        answer_example=_TASK | {"state": "waiting", "results": [], "ended_at": None},
        headers={"Location": "Where its progress is."},
    )
    def create_lake_task(self, call: OperationCall[NoFields, NewLakeTask]) -> OperationReply:
        """Whether or not it is due, by one process among all.

        Asked for again before it has begun, it is the same task.
        """
        check_stream(call.body.stream)
        made = ask_for(self._tasks, call.body.action, call.body.stream)
        return OperationReply(_task_answer(made), headers={"Location": f"/api/v1/lake/tasks/{made.id}"})

    @operation("GET", "/lake/tasks", Permission.OPERATOR, "List lake tasks")
    def list_lake_tasks(self, call: OperationCall[PageQuery, None]) -> ListingPage[LakeTaskAnswer]:
        """Newest first. They are kept for 90 days after their end."""
        found = self._tasks.page(KIND, after=call.query.position, limit=call.query.limit + 1)
        return page_of(found, call.query.limit, _task_answer, lambda each: each.id)

    @operation(
        *("GET", "/lake/tasks/{task_id}", Permission.OPERATOR, "Get a lake task"),
        failures=(NotFound,),
        answer_example=_TASK,
    )
    def get_lake_task(self, call: PlainCall) -> LakeTaskAnswer:
        """Its state, and what its finished steps did."""
        return _task_answer(self._tasks.get(KIND, call.number("task_id")))


def _writer_answer(writer: Writer) -> WriterAnswer:
    state = "live" if writer.lives else "silent"
    return WriterAnswer(writer.id, writer.host, state, shown_moment(writer.seen_at), shown_moment(writer.data_through))


def _task_answer(task: Task) -> LakeTaskAnswer:
    return LakeTaskAnswer(
        id=task.id,
        action=task.action,
        stream=task.subject or None,
        state=task.state,
        results=[dict(each) for each in task.results],
        error=task.error,
        requested_by=task.requested_by,
        created_at=shown_moment(task.created_at),
        ended_at=shown_moment(task.ended_at),
    )
