"""`airtally dataset`: files of changelogs, published by hand."""

from __future__ import annotations

import time
from typing import Annotated, Any

from cyclopts import App, Parameter

from airtally.cli.common import AccountSlug, Json, command
from airtally.cli.output import moment, print_listing
from airtally.cli.services import opened_services
from airtally.datasets.publish import Publication
from airtally.kit import logs
from airtally.kit.time import SECOND_US

app = App(name="dataset", help="Dataset files of changelogs.")

DatasetId = Annotated[
    str | None, Parameter(name="--dataset", help="The dataset's id; if not given, all of the account.")
]
_COLUMNS = ("dataset", "stream", "business", "name", "rows", "bytes", "published_at")


@app.command
@command
def publish(*, account: AccountSlug, dataset: DatasetId = None, as_json: Json = False) -> None:
    """Publish now what the next slot would; prints the new files once listings have them."""
    logs.configure("warning")
    with opened_services() as services:
        done = services.on_demand().run(services.access.accounts.by_slug(account), dataset)
        stamps = [file.published_at for each in done for file in each.files]
        wait = max(stamps, default=0) - services.clock.now_us()
    time.sleep(max(0, wait) / SECOND_US)
    print_listing([row for each in done for row in _file_rows(each)], _COLUMNS, as_json=as_json)


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
