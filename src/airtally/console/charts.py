"""What charts.js draws: times, series and how they are shown, as JSON beside the figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

ChartKind = Literal["line", "bar", "stacked"]


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """One value for each time of the chart; None where there is none.

    `dashed` is of an earlier time, `rest` the sum of groups that are not drawn each.
    """

    label: str
    values: Sequence[float | int | None]
    dashed: bool = False
    rest: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """`times` are seconds since 1970 UTC, ascending; they are shown on the clocks of `zone`, an IANA name."""

    title: str
    zone: str
    times: Sequence[int]
    series: Sequence[ChartSeries]
    kind: ChartKind = "line"

    @property
    def json(self) -> str:
        """Safe inside a `<script type="application/json">`: no `<` stands in it."""
        return msgspec.json.encode(self).decode().replace("<", "\\u003c")
