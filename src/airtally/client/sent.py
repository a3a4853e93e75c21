"""What came of the rows of a call of `send`."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from airtally.client.errors import GarbledAnswer
from airtally.client.messages import ApiAnswer, shown_beginning

#: Rejections kept of one call, however many rows are wrong; `rejected` counts all.
REJECTIONS_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a row was refused. `index` is its position among the rows given, from 0.

    `field` is None if the row as a whole is wrong. `quarantined`: whether the server keeps it.
    """

    index: int
    field: str | None
    error: str
    quarantined: bool = True


@dataclass(slots=True)
class SendResult:
    """What the server acknowledged: these rows are on its disk, and the next query sees them.

    `rejections` has the first 100 of each batch, and at most 10,000. `quarantined` is False if the server could not
    keep all rejected rows. `key` is what the batches' `Idempotency-Key`s begin with.
    """

    key: str
    accepted: int = 0
    rejected: int = 0
    batches: int = 0
    quarantined: bool = True
    rejections: list[Rejection] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """The rows acknowledged, accepted or not: as many of those given were sent, from the first on."""
        return self.accepted + self.rejected

    def add(self, answer: BatchAnswer, first: int) -> None:
        """Count the answer to the batch whose first row has the position `first`."""
        self.batches += 1
        self.accepted += answer.accepted
        self.rejected += answer.rejected
        self.quarantined &= answer.quarantined
        room = REJECTIONS_KEPT - len(self.rejections)
        self.rejections += [
            Rejection(first + each.line - 1, each.field, each.error, each.quarantined) for each in answer.errors[:room]
        ]


class _RowError(msgspec.Struct, frozen=True):
    line: int
    error: str
    field: str | None = None
    quarantined: bool = True


class BatchAnswer(msgspec.Struct, frozen=True):
    """The server's answer to a batch."""

    accepted: int
    rejected: int
    errors: list[_RowError] = []
    quarantined: bool = True


def joined_answer(first: BatchAnswer, second: BatchAnswer, first_rows: int) -> BatchAnswer:
    """As if both halves of a batch, the first of so many rows, had been sent at once."""
    later = [msgspec.structs.replace(each, line=each.line + first_rows) for each in second.errors]
    return BatchAnswer(
        first.accepted + second.accepted,
        first.rejected + second.rejected,
        [*first.errors, *later],
        first.quarantined and second.quarantined,
    )


def read_batch_answer(answer: ApiAnswer, rows: int | None) -> BatchAnswer:
    """The answer to a batch of `rows` rows, if that is known. Raises GarbledAnswer unless it accounts for each."""
    try:
        found = msgspec.json.decode(answer.body, type=BatchAnswer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise GarbledAnswer(f"The answer to a batch cannot be read: {shown_beginning(answer.body)}") from None
    if found.accepted < 0 or found.rejected < 0 or rows not in {None, found.accepted + found.rejected}:
        raise GarbledAnswer(f"The answer accounts for {found.accepted} + {found.rejected} of {rows} rows")
    return found
