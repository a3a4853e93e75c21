"""The classes that declare a rollup: figures of a stream's events by dimensions and a grain of time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airtally.kit.time import DAY_US, HOUR_US, MINUTE_US

__all__ = ["DAY_US", "HOUR_US", "MINUTE_US", "QUARTER_US", "Function", "Measure", "Rollup"]

#: Every time zone in use is offset from UTC by a multiple of this.
QUARTER_US = 15 * MINUTE_US


class Function(StrEnum):
    """How a figure is computed from rows."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    DISTINCT = "distinct"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure of each group. `only` counts just the rows whose column has that value.

    Figures are stored as int64 (money in micros). Those of several groups combine into one: counts and sums by
    their sum, minima by the least, maxima by the greatest. Distinct counts do not, so none can be a measure.
    """

    name: str
    function: Function = Function.COUNT
    column: str | None = None
    only: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        if self.function is Function.DISTINCT:
            raise ValueError(f"measure {self.name}: distinct counts cannot be combined, so none can be a measure")


@dataclass(frozen=True, slots=True)
class Rollup:
    """Measures by text columns of the stream and by UTC intervals of `grain_us`, which divides a day.

    `name` is unique among streams and rollups. `retention_days` None keeps segments for ever. With `local` the days
    are cut at the midnights of the account's zone too. Every change except of `retention_days` is a new `version`, with
    the declaration before it as `earlier`. Segments of the earlier version are used until they are replaced, and for
    ever where the rows were removed. `mended` marks a version with wrong figures that the next version corrects: days
    that still have rows are answered from the rows.
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
            raise ValueError(f"rollup {self.name}: grain_us must divide a day")
        if self.local and self.grain_us != DAY_US:
            raise ValueError(f"rollup {self.name}: local needs a grain of one day")
        before = self.earlier
        if (before is None) != (self.version == 1) or (before and (before.name, before.version + 1) != self.mark):
            raise ValueError(f"rollup {self.name}: version {self.version} must follow that of the earlier declaration")

    @property
    def mark(self) -> tuple[str, int]:
        """Its name and version."""
        return self.name, self.version

    @property
    def folder(self) -> str:
        """The folder of its segments in `_rollups/`: the name, and from version 2 on the version."""
        return self.name if self.version == 1 else f"{self.name}.v{self.version}"

    @property
    def versions(self) -> tuple[Rollup, ...]:
        """The current declaration and the earlier ones, newest first."""
        return (self,) if self.earlier is None else (self, *self.earlier.versions)
