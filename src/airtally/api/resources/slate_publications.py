"""Answers about datasets, their files and publications."""

from __future__ import annotations

from typing import Any

import msgspec

from airtally.api.times import shown_moment
from airtally.datasets.dataset import KINDS, Dataset
from airtally.datasets.files import DatasetFile
from airtally.tasks.task import Task, TaskState
from airtally.vendors.slate.links import Link

#: The example of a publication.
PUBLICATION = {
    "id": 31,
    "dataset": "data987",
    "state": "done",
    "files": [
        {
            "id": "f9a1",
            "name": "Subscription_2026-11-02T09:15:01.csv",
            "rows": 120,
            "bytes": 20_480,
            "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "published_at": "2026-11-02T09:15:01.000000Z",
        }
    ],
    "error": None,
    "requested_by": "key 12",
    "created_at": "2026-11-02T09:15:00.000000Z",
    "ended_at": "2026-11-02T09:15:01.200000Z",
}


class DatasetAnswer(msgspec.Struct, frozen=True):
    """All rows received by `data_through` are in its files; null while new files await their publication time."""

    id: str
    kind: str
    stream: str
    business: str
    format: str
    data_through: str | None


class PublishedFile(msgspec.Struct, frozen=True):
    """`published_at`: from then on it is listed."""

    id: str
    name: str
    rows: int
    bytes: int
    sha256: str
    published_at: str


class DatasetFileAnswer(msgspec.Struct, frozen=True):
    """`url` is valid until `url_expires` and needs no key."""

    id: str
    name: str
    rows: int
    bytes: int
    sha256: str
    report_date_begin: str
    report_date_end: str
    published_at: str
    url: str
    url_expires: str


class PublicationAnswer(msgspec.Struct, frozen=True):
    """`files`: those that came since it was begun, once it is done. `error`: why it failed."""

    id: int
    dataset: str
    state: TaskState
    files: list[PublishedFile]
    error: str | None
    requested_by: str
    created_at: str
    ended_at: str | None


def dataset_answer(dataset: Dataset, data_through: int | None) -> DatasetAnswer:
    kind = KINDS[dataset.stream]
    return DatasetAnswer(dataset.id, kind, dataset.stream, dataset.business, dataset.format, shown_moment(data_through))


def file_answer(file: DatasetFile, link: Link) -> DatasetFileAnswer:
    return DatasetFileAnswer(
        id=file.id,
        name=file.name,
        rows=file.rows,
        bytes=file.bytes,
        sha256=file.sha256,
        report_date_begin=file.report_date_begin,
        report_date_end=file.report_date_end,
        published_at=shown_moment(file.published_at),
        url=link.url,
        url_expires=shown_moment(link.expires_at),
    )


def publication_answer(task: Task, dataset: Dataset) -> PublicationAnswer:
    made: list[dict[str, Any]] = [file for result in task.results for file in result.get("files", ())]
    return PublicationAnswer(
        id=task.id,
        dataset=dataset.id,
        state=task.state,
        files=[_published_file(each) for each in made],
        error=task.error,
        requested_by=task.requested_by,
        created_at=shown_moment(task.created_at),
        ended_at=shown_moment(task.ended_at),
    )


def _published_file(file: dict[str, Any]) -> PublishedFile:
    named = {name: file[name] for name in ("id", "name", "rows", "bytes", "sha256")}
    return PublishedFile(**named, published_at=shown_moment(int(file["published_at"])))
