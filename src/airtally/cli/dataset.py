"""`airtally dataset`: files of changelogs, published by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.cli.common import AccountSlug, Json, command
from airtally.cli.output import moment, print_listing, to_second
from airtally.cli.remote import is_remote
from airtally.cli.server import quoted, server
from airtally.cli.services import opened_services
from airtally.cli.tasks import until_done
from airtally.datasets.publish import Publication
from airtally.kit import logs
from airtally.kit.time import SECOND_US

app = App(name="dataset", help="Dataset files of changelogs.")

DatasetId = Annotated[
    str | None, Parameter(name="--dataset", help="The dataset's id; if not given, all of the account.")
]
#: Seconds; a server's clock may be far ahead of this machine's.
_LONGEST_WAIT = 5.0
_COLUMNS = ("dataset", "stream", "business", "name", "rows", "bytes", "published_at")


@app.command
@command
def publish(*, account: AccountSlug, dataset: DatasetId = None, as_json: Json = False) -> None:
    """Publish now what the next slot would; prints the new files once listings have them."""
    rows = _published_elsewhere(account, dataset) if is_remote() else _published_here(account, dataset)
    print_listing(rows, _COLUMNS, as_json=as_json)


def _published_here(account: str, dataset: str | None) -> list[dict[str, Any]]:
    """Beside a running server, or without one."""
    logs.configure("warning")
    with opened_services() as services:
        done = services.on_demand().run(services.access.accounts.by_slug(account), dataset)
        stamps = [file.published_at for each in done for file in each.files]
        wait = max(stamps, default=0) - services.clock.now_us()
    time.sleep(max(0, wait) / SECOND_US)
    return [row for each in done for row in _file_rows(each)]


def _published_elsewhere(account: str, dataset: str | None) -> list[dict[str, Any]]:
    """By the server's own workers; all datasets are asked for before the first is waited for."""
    with server(account) as api:
        found = (
            list(api.items("/slate/datasets")) if dataset is None else [api.get(f"/slate/datasets/{quoted(dataset)}")]
        )
        paths = [f"/slate/datasets/{quoted(each['id'])}/publications" for each in found]
        asked = [f"{path}/{api.post(path)['id']}" for path in paths]
        done = [until_done(api, path) for path in asked]
    _wait_until_listed([file["published_at"] for task in done for file in task["files"]])
    return [
        {"dataset": of["id"], "stream": of["stream"], "business": of["business"]}
        | file
        | {"published_at": to_second(file["published_at"])}
        for of, task in zip(found, done, strict=True)
        for file in task["files"]
    ]


def _wait_until_listed(moments: Sequence[str]) -> None:
    """A file is listed from its time of publication on, which may be a second ahead; clocks may differ by more."""
    ahead = max((datetime.fromisoformat(each).timestamp() for each in moments), default=0.0) - time.time()
    time.sleep(min(max(0.0, ahead), _LONGEST_WAIT))


def _file_rows(publication: Publication) -> list[dict[str, Any]]:
    dataset = publication.subject.dataset
    return [
        {
            "dataset": dataset.id,
            "stream": dataset.stream,
            "business": dataset.business,
            "id": file.id,
            "name": file.name,
            "rows": file.rows,
            "bytes": file.bytes,
            "sha256": file.sha256,
            "published_at": moment(file.published_at),
        }
        for file in publication.files
    ]
