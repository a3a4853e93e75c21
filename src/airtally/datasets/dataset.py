"""A dataset: one changelog stream of one business, published as files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airtally.database.rows import AnyRow, values_of
from airtally.database.tables import datasets, slate_businesses

#: The dataset kinds that every business has, with the stream each publishes.
STREAMS: Mapping[str, str] = {"subscription": "subscriptions", "playback": "playback", "catalog": "catalog"}
KINDS: Mapping[str, str] = {stream: kind for kind, stream in STREAMS.items()}

#: The columns that a statement selects for `dataset_of`.
DATASET_COLUMNS = (
    *(datasets.c.id.label("row_id"), datasets.c.dataset_id.label("id"), datasets.c.stream, datasets.c.format),
    slate_businesses.c.business_id.label("business"),
)


@dataclass(frozen=True, slots=True)
class Dataset:
    """`row_id` is the number in the metadata store, `id` the id in paths, `format` the format of the files."""

    row_id: int
    id: str
    stream: str
    format: str
    business: str

    @property
    def name(self) -> str:
        """Subscription, Playback or Catalog."""
        return KINDS[self.stream].capitalize()


def dataset_of(row: AnyRow) -> Dataset:
    """The dataset of a row that has at least `DATASET_COLUMNS`."""
    return Dataset(**values_of(row, DATASET_COLUMNS))
