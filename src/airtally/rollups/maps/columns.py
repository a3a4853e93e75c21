"""A segment file as columns of narrow numbers, in the order of account, dimensions and time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Numbers = npt.NDArray[Any]  # of whole numbers, of whatever width
Flags = npt.NDArray[np.bool_]

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_SIGNED = (np.int8, np.int16, np.int32, np.int64)
_UNSIGNED = (np.uint8, np.uint16, np.uint32, np.uint64)


def narrowest(least: int, most: int, *, signed: bool) -> type[Any]:
    """The narrowest type of whole numbers that holds both. Raises OverflowError where 64 bits do not."""
    for kind in _SIGNED if signed else _UNSIGNED:
        bounds = np.iinfo(kind)
        if bounds.min <= least and most <= bounds.max:
            return kind
    raise OverflowError(f"no whole number of 64 bits is {least} and {most}")


@dataclass(frozen=True)
class TextColumn:
    """A dimension: of each row the place of its text among `values`, which are in the order of their bytes.

    Where there are nulls, the last of the values is null.
    """

    codes: Numbers
    values: pa.Array

    @cached_property
    def texts(self) -> list[str | None]:
        found: list[str | None] = self.values.to_pylist()
        return found

    @cached_property
    def places(self) -> Mapping[str | None, int]:
        """The code of each text."""
        return {text: code for code, text in enumerate(self.texts)}


@dataclass(frozen=True, slots=True)
class TimeColumn:
    """The start of each row's cell: `first_us` and its code times `unit_us`, in microseconds UTC; no code is above `last`."""

    codes: Numbers
    first_us: int
    unit_us: int
    last: int


@dataclass(frozen=True, slots=True)
class MeasureColumn:
    """A measure's figures, and their bounds."""

    figures: Numbers
    least: int
    most: int

    @property
    def furthest(self) -> int:
        """The distance from 0 that no figure exceeds."""
        return max(abs(self.least), abs(self.most))


@dataclass(frozen=True, slots=True)
class SegmentColumns:
    """All rows of a segment file. `accounts` are the rows of each account, from the first up to the second number."""

    accounts: Mapping[str, tuple[int, int]]
    dimensions: Mapping[str, TextColumn]
    time: TimeColumn
    measures: Mapping[str, MeasureColumn]

    @property
    def rows(self) -> int:
        return len(self.time.codes)

    @property
    def nbytes(self) -> int:
        """What its numbers and texts take up."""
        numbers = [self.time.codes, *(each.codes for each in self.dimensions.values())]
        numbers += [each.figures for each in self.measures.values()]
        return sum(each.nbytes for each in numbers) + sum(int(each.values.nbytes) for each in self.dimensions.values())
