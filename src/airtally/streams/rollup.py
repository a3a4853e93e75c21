"""What a rollup declaration is made of: figures of a stream's events, by dimensions and by a grain of time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US

__all__ = ["DAY_US", "HOUR_US", "MINUTE_US", "QUARTER_US", "Function", "Measure", "Rollup"]

#: Finest offset of a time zone in use.
QUARTER_US = 15 * MINUTE_US


class Function(StrEnum):
    """How rows become a figure."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    DISTINCT = "distinct"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of each group. `only` counts just the rows whose column has that value.

    Kept as int64 (money in micros), so that figures of groups add up: counts and sums by their sum, a
    minimum by the least. A distinct count does not, and cannot be a measure.
    """

    name: str
    function: Function = Function.COUNT
    column: str | None = None
    only: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.function is Function.DISTINCT:
            raise ValueError(f"measure {self.name}: distinct counts do not add up")


@dataclass(frozen=True, slots=True)
class Rollup:
    """Measures by text columns of the stream and by UTC intervals of `grain_us`, which divides a day.

    `name` is unique among streams and rollups. `retention_days` None keeps segments for ever. With `local` the days
    are cut at the midnights of the account's zone too. Whatever else is changed makes the next `version`, and the
    declaration before stays as `earlier`: its segments serve until they are replaced, and for ever where rows have left.
    One that is `mended` had figures that the next version corrects: where there are rows, they are asked instead.
    """

    name: str
    grain_us: int
    dimensions: tuple[str, ...]
    measures: tuple[Measure, ...]
    retention_days: int | None = None
    local: bool = False
    version: int = 1
    earlier: Rollup | None = None
    mended: bool = False

    def __post_init__(self) -> None:
        if DAY_US % self.grain_us:
            raise ValueError(f"rollup {self.name}: its grain does not divide a day")
        if self.local and self.grain_us != DAY_US:
            raise ValueError(f"rollup {self.name}: only days are those of an account's zone")
        before = self.earlier
        if (before is None) != (self.version == 1) or (before and (before.name, before.version + 1) != self.mark):
            raise ValueError(f"rollup {self.name}: version {self.version} does not follow the earlier one")

    @property
    def mark(self) -> tuple[str, int]:
        """Its name and version."""
        return self.name, self.version

    @property
    def folder(self) -> str:
        """The folder of its segments, beside those of other rollups; for the first version the name alone."""
        return self.name if self.version == 1 else f"{self.name}.v{self.version}"

    @property
    def versions(self) -> tuple[Rollup, ...]:
        """The rollup as it is declared now, then the declarations before, newest first."""
        return (self,) if self.earlier is None else (self, *self.earlier.versions)
