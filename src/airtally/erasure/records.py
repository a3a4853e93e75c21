"""An erasure and what it found, as they are shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from airtally.accounts.accounts import Account
from airtally.database.rows import AnyRow, values_of
from airtally.database.tables import erasure_steps, erasures
from airtally.erasure.person import Person


class ErasureKind(StrEnum):
    PERSON = "person"
    ACCOUNT = "account"


class ErasureState(StrEnum):
    """`WAITING` for writers to move their rows into the lake; `ERASED`: rows are in no answer, and the files that held
    them are kept until readers are done with them; `DONE`: those are gone too.
    """

    WAITING = "waiting"
    ERASING = "erasing"
    ERASED = "erased"
    DONE = "done"


class StepState(StrEnum):
    PREPARED = "prepared"
    DONE = "done"
    UNDONE = "undone"


#: What a listing reads; the sealed ids of the person are read by the job alone.
ERASURE_COLUMNS = tuple(column for column in erasures.c if column.name not in {"subject", "hashes"})


@dataclass(frozen=True, slots=True)
class Erasure:
    """A request to erase a person, or an account. Times in microseconds UTC.

    Rows received by `through` are erased; it is None until all writers have moved their rows into the lake.
    `waiting_for` names the hosts of writers that have not; `error` is why the last try failed.
    """

    id: int
    account_id: int
    kind: ErasureKind
    state: ErasureState
    requested_by: str
    waiting_for: tuple[str, ...]
    through: int | None
    error: str | None
    created_at: int
    erased_at: int | None
    done_at: int | None

    @classmethod
    def from_row(cls, row: AnyRow) -> Erasure:
        """From a row with ERASURE_COLUMNS; it may have others."""
        values = values_of(row, ERASURE_COLUMNS)
        return cls(
            **values
            | {
                "kind": ErasureKind(values["kind"]),
                "state": ErasureState(values["state"]),
                "waiting_for": msgspec.json.decode(values["waiting_for"], type=tuple[str, ...]),
            }
        )


@dataclass(frozen=True, slots=True)
class ErasureFinding:
    """What one part of a store held of the person: rows (or files) `found`, `erased`, and what `remains` and why.

    `found` counts what names the person; more may be erased, such as an event's earlier rows.
    """

    store: str
    part: str
    found: int
    erased: int
    remains: int = 0
    why: str | None = None

    @classmethod
    def from_row(cls, row: AnyRow) -> ErasureFinding:
        return cls(**values_of(row, STEP_COLUMNS))


STEP_COLUMNS = (
    *(erasure_steps.c.store, erasure_steps.c.part, erasure_steps.c.found, erasure_steps.c.erased),
    *(erasure_steps.c.remains, erasure_steps.c.why),
)


@dataclass(frozen=True, slots=True)
class ErasureTask:
    """What a job works on: the rows of `person` in the account received by `through`; of the whole account without."""

    erasure: Erasure
    account: Account
    through_us: int
    person: Person | None

    @property
    def app_id(self) -> str:
        """The Delta application of the commits that remove its rows."""
        return f"erasure-{self.erasure.id}"
