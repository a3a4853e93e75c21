"""A task as it was when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from airtally.database.rows import AnyRow, values_of
from airtally.database.tables import tasks

TaskResult = Mapping[str, Any]

_COLUMNS = tuple(column for column in tasks.c if column.name != "waits_as")


class TaskState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """Times in microseconds UTC. `account_id` is None for work on the server's own stores.

    `action` and `subject` say what is to be done to what, `results` what each finished step did, `error` why it failed.
    """

    id: int
    account_id: int | None
    kind: str
    action: str
    subject: str
    state: TaskState
    results: tuple[TaskResult, ...]
    error: str | None
    requested_by: str
    created_at: int
    updated_at: int
    ended_at: int | None

    @classmethod
    def from_row(cls, row: AnyRow) -> Task:
        values = values_of(row, _COLUMNS)
        results = msgspec.json.decode(values["results"], type=tuple[dict[str, Any], ...])
        return cls(**values | {"state": TaskState(values["state"]), "results": results})
