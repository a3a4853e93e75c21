"""What requests brought in, counted in the transaction of their rows: an acknowledged row is counted, and once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airtally.kit.time import DAY_US


@dataclass(frozen=True, slots=True)
class IntakeFigures:
    """What one request brought: `rows` accepted and `refused`, `size` in bytes as sent. `kind`: whose API took it."""

    account: str
    kind: str
    rows: int
    refused: int
    size: int


@dataclass(frozen=True, slots=True)
class IntakeCount:
    """The sum of some requests of one account, kind and UTC day (`day` since 1970-01-01).

    `id`: its number in the buffer's file, 0 as long as it has none.
    """

    id: int
    day: int
    account: str
    kind: str
    rows: int
    refused: int
    size: int


def summed_intakes(brought: Iterable[IntakeFigures], received_at_us: int) -> list[IntakeCount]:
    """One count for each account and kind, without a number yet."""
    day = received_at_us // DAY_US
    found: dict[tuple[str, str], IntakeCount] = {}
    for each in brought:
        place = each.account, each.kind
        before = found.get(place, IntakeCount(0, day, *place, 0, 0, 0))
        sums = before.rows + each.rows, before.refused + each.refused, before.size + each.size
        found[place] = IntakeCount(0, day, *place, *sums)
    return list(found.values())
