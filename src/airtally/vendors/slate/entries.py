"""The levels of the catalogue above a dataset. `row_id` is the number in the metadata store, `id` the id in paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from airtally.accounts.accounts import check_name
from airtally.datasets.dataset import STREAMS
from airtally.kit.errors import BadRequest

_ID = re.compile(r"(?!\.+\Z)[A-Za-z0-9._-]{1,128}")
_TERRITORY = re.compile(r"[A-Za-z0-9-]{1,16}")


@dataclass(frozen=True, slots=True)
class SlateAccount:
    row_id: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Group:
    row_id: int
    id: str
    name: str
    slate_account: str


@dataclass(frozen=True, slots=True)
class Business:
    """`id` is the `business_id` of rows, unique in the Airtally account."""

    row_id: int
    id: str
    name: str
    territory: str | None
    group: str
    slate_account: str


@dataclass(frozen=True, slots=True)
class NewBusiness:
    """A business to create. `datasets` maps kinds to ids; missing ids are generated. Raises BadRequest."""

    group: str
    id: str
    name: str
    territory: str | None = None
    slate_account: str | None = None
    datasets: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None

    def __post_init__(self) -> None:
        check_id(self.group, "group id")
        check_id(self.id, "business id")
        check_name(self.name)
        if self.territory is not None and not _TERRITORY.fullmatch(self.territory):
            raise BadRequest(f"The territory {self.territory[:64]!r} cannot be used: expected a code such as US")
        for kind, dataset_id in self.datasets.items():
            if kind not in STREAMS:
                raise BadRequest(f"There is no dataset {kind[:64]!r}: expected one of {', '.join(STREAMS)}")
            check_id(dataset_id, "dataset id")
        if len(set(self.datasets.values())) < len(self.datasets):
            raise BadRequest("Two datasets cannot have the same id")


def check_id(text: str, what: str) -> None:
    """Raises BadRequest if an id has other characters than paths may have."""
    if not _ID.fullmatch(text):
        raise BadRequest(f"The {what} {text[:64]!r} cannot be used: expected 1 to 128 of letters, digits, . _ and -")
