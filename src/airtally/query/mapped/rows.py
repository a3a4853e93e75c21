"""The rows of a map that a question's filter leaves: slices found by search, and what is left to be looked up in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from airtally.query.mapped.conditions import TextConditions, conjuncts
from airtally.query.question import Question
from airtally.rollups.maps.columns import Flags, Numbers, SegmentColumns
from airtally.sql.filters import AllOf, Equals, Filter, OneOf, columns_of

#: With more slices all rows of the account are looked at.
_MOST_SLICES = 64


@dataclass(frozen=True, slots=True)
class RowSlices:
    """Rows of a map, from the first up to the second number of each slice, which meet all of a filter but `condition`."""

    slices: tuple[tuple[int, int], ...]
    condition: Filter
    columns: SegmentColumns
    decided: TextConditions

    def of(self, column: Numbers) -> Numbers:
        """A column's values in the rows."""
        parts = [column[first:until] for first, until in self.slices]
        return parts[0] if len(parts) == 1 else np.concatenate(parts) if parts else column[:0]

    def met(self) -> Flags | bool:
        """Which of the rows meet the condition; a plain truth value is that of all rows."""
        names = dict.fromkeys(columns_of(self.condition))
        return self.decided.met(self.condition, {name: self.of(self.columns.dimensions[name].codes) for name in names})


def rows_wanted(question: Question, columns: SegmentColumns) -> RowSlices:
    """The rows of the question's account, narrowed by the leading dimensions that its filter gives values of."""
    decided = TextConditions(question.stream, columns.dimensions)
    slices = [columns.accounts.get(question.account, (0, 0))]
    conditions = list(conjuncts(question.where))
    for name, column in columns.dimensions.items():
        given = next((each for each in conditions if isinstance(each, Equals | OneOf) and each.column == name), None)
        if given is None or len(slices) != 1:
            break
        wanted = decided.codes(given)
        found = list(_slices_with(column.codes, slices[0], wanted))
        if len(found) > _MOST_SLICES:
            break
        slices = found
        conditions.remove(given)
        if len(wanted) != 1:  # rows of several values, even in one slice, are not in the order of the next dimension
            break
    return RowSlices(tuple(slices), AllOf(tuple(conditions)), columns, decided)


def _slices_with(codes: Numbers, within: tuple[int, int], wanted: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Where the wanted codes lie in a slice that is in their order, neighbouring ones joined."""
    first, until = within
    values = np.array(wanted, codes.dtype)  # of another type, each search would convert the whole column
    begins = np.searchsorted(codes[first:until], values, "left").tolist()
    ends = np.searchsorted(codes[first:until], values, "right").tolist()
    held: tuple[int, int] | None = None
    for begin, end in zip(begins, ends, strict=True):
        if begin == end:
            continue
        if held is not None and held[1] == first + begin:
            held = held[0], first + end
            continue
        if held is not None:
            yield held
        held = first + begin, first + end
    if held is not None:
        yield held
