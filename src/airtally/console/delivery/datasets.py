"""Datasets: what was published when, as which files, and a publication at once."""

from __future__ import annotations

from typing import Any

from airtally.console.declared import console_form, console_page
from airtally.console.formats import moment_of
from airtally.console.operations import ConsoleOperations
from airtally.console.tables import CellKind, TableColumn, table_of
from airtally.console.views import Moved, View, view
from airtally.console.visits import Visit
from airtally.kit.time import to_datetime

_EMPTY = "There is no dataset. A Slate business has three: make one by POST /api/v1/slate/businesses."
_NO_FILES = "Nothing was published yet. Files come at the times of the schedule, or at once by Publish now."
_NONE_ASKED = "Nobody asked for a publication; those of the schedule have their files above."
_FILES = (
    TableColumn("File", lambda each: each.name, link=lambda each: each.url),
    TableColumn("Published", lambda each: each.published_at, CellKind.TIME),
    TableColumn("Rows", lambda each: each.rows, CellKind.NUMBER),
    TableColumn("Size", lambda each: each.bytes, CellKind.SIZE),
    TableColumn("First day", lambda each: each.report_date_begin),
    TableColumn("Last day", lambda each: each.report_date_end),
    TableColumn("SHA-256", lambda each: each.sha256, CellKind.CODE),
)
_PUBLICATIONS = (
    TableColumn("Publication", lambda each: each.id),
    TableColumn("State", lambda each: each.state, CellKind.STATE),
    TableColumn("Files", lambda each: len(each.files), CellKind.NUMBER),
    TableColumn("Why not", lambda each: each.error),
    TableColumn("Asked for by", lambda each: each.requested_by),
    TableColumn("Asked for", lambda each: each.created_at, CellKind.TIME),
    TableColumn("Ended", lambda each: each.ended_at, CellKind.TIME),
)


class DatasetPages:
    def __init__(self, operations: ConsoleOperations) -> None:
        self._operations = operations

    @console_page("/datasets")
    def datasets(self, visit: Visit) -> View:
        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, "list_datasets", query={"cursor": cursor, "limit": limit})

        columns = (
            TableColumn("Dataset", lambda each: each.id, link=lambda each: visit.path(f"/datasets/{each.id}")),
            TableColumn("Kind", lambda each: each.kind),
            TableColumn("Business", lambda each: each.business),
            TableColumn("Stream", lambda each: each.stream, link=lambda each: visit.path(f"/streams/{each.stream}")),
            TableColumn("Format", lambda each: each.format),
            TableColumn("Complete until", lambda each: each.data_through, CellKind.TIME),
        )
        return view("delivery/datasets.html", datasets=table_of(visit, "datasets", columns, read, _EMPTY))

    @console_page("/datasets/{dataset}")
    def dataset(self, visit: Visit) -> View:
        path = {"dataset": visit.name("dataset")}
        found = self._operations.call(visit, "get_dataset", path=path)
        files, asked = (self._reader(visit, name) for name in ("list_dataset_files", "list_publications"))
        publications = table_of(visit, "publications", _PUBLICATIONS, asked, _NONE_ASKED)
        return view(
            "delivery/dataset.html",
            fragment="published",
            dataset=found,
            files=table_of(visit, "files", _FILES, files, _NO_FILES),
            publications=publications,
            moving=any(_is_moving(visit, each) for each in publications.items),
        )

    @console_form("/datasets/{dataset}/publications", again="dataset")
    def publish_now(self, visit: Visit) -> Moved:
        dataset = visit.name("dataset")
        made = self._operations.call(visit, "create_publication", path={"dataset": dataset})
        return Moved(visit.path(f"/datasets/{dataset}"), f"Publication {made.id} is under way.")

    def _reader(self, visit: Visit, operation: str) -> Any:
        path = {"dataset": visit.name("dataset")}

        def read(cursor: str | None, limit: int) -> Any:
            return self._operations.call(visit, operation, path=path, query={"cursor": cursor, "limit": limit})

        return read


def _is_moving(visit: Visit, publication: Any) -> bool:
    """Whether it is under way, or has a file that is not listed before its publication time."""
    now = to_datetime(visit.now_us)
    return publication.state in {"waiting", "running"} or any(
        moment_of(each.published_at) > now for each in publication.files
    )
