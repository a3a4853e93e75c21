"""Refused rows as arrays of lines and reasons. Their text is read again only for rows that are shown or kept.

A body may have millions of wrong rows, most of which are not kept: each takes 12 bytes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol, overload

import msgspec
import numpy as np
import numpy.typing as npt

from airtally.kit.fair import pause

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
#: The field, None if the row as a whole is wrong, and the error.
Reason = tuple[str | None, str]
#: From places of refused rows in their block to the form in which they are resent (`RowError.row`).
Forms = Callable[[Ints], Sequence[bytes | None]]

#: Errors made in one step of an iteration: some milliseconds.
TOGETHER = 500
_REASONS = 10_000


class RowError(msgspec.Struct, frozen=True, gc=False):
    """One refused row.

    `line` counts lines, elements of a JSON array, or rows of Parquet and Arrow, from 1. `field` is None if the row as a
    whole is wrong. `raw` is the row as received (for Parquet and Arrow as JSON), at most its first MiB. `row` is the
    row as JSON for resending (`canonical.py`); None if `raw` is that already, empty if the row cannot be resent.
    """

    line: int
    field: str | None
    error: str
    raw: bytes
    row: bytes | None = None


class Raws(Protocol):
    """Returns the text received in some lines, which ascend."""

    def raws(self, lines: Sequence[int]) -> list[bytes]: ...


@dataclass(frozen=True, slots=True)
class Wrong:
    """A block of refused rows: their lines, ascending, and for each the place of its reason in `reasons`.

    Without `forms` rows are resent as received. A code of -1 means that `explain` finds the reason from the row as
    received: every row of a body may have another reason.
    """

    lines: Ints
    codes: Codes
    reasons: Sequence[Reason]
    forms: Forms | None = None
    explain: Callable[[bytes], Reason] | None = None

    def made(self, places: Ints, lines: Iterable[int], raws: Sequence[bytes]) -> list[RowError]:
        """The errors at some places, from the rows as received."""
        forms = repeat(None) if self.forms is None else self.forms(places)
        made = []
        for line, code, raw, form in zip(lines, self.codes[places].tolist(), raws, forms, strict=False):
            name, error = self.reasons[code] if code >= 0 or self.explain is None else self.explain(raw)
            made.append(RowError(line, name, error, raw, form))
        return made


class Errors(Sequence[RowError]):
    """The errors of a body, by line. Each is made when it is read."""

    def __init__(self, source: Raws, blocks: Sequence[Wrong] = ()) -> None:
        self._source = source
        self.blocks = [block for block in blocks if len(block.lines)]
        self._starts = np.cumsum([0, *(len(block.lines) for block in self.blocks)])
        self._by_line: tuple[Ints, Ints] | None = None

    @classmethod
    def of(cls, source: Raws, errors: Sequence[RowError]) -> Errors:
        if isinstance(errors, Errors):
            return errors
        if errors:
            raise TypeError("errors that were made one by one stand alone")
        return cls(source)

    def with_more(self, *wrong: Wrong) -> Errors:
        return Errors(self._source, [*self.blocks, *wrong])

    def with_all(self, others: Errors) -> Errors:
        return self.with_more(*others.blocks)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, which: int) -> RowError: ...
    @overload
    def __getitem__(self, which: slice) -> list[RowError]: ...
    def __getitem__(self, which: int | slice) -> RowError | list[RowError]:
        """Slices must have a positive step."""
        if isinstance(which, slice):
            return self._made(np.array(range(len(self))[which], dtype=np.int64))
        return self._made(np.array([range(len(self))[which]]))[0]

    def __iter__(self) -> Iterator[RowError]:
        for start in range(0, len(self), TOGETHER):
            pause()
            yield from self._made(np.arange(start, min(start + TOGETHER, len(self))))

    def lines_that_end_with(self, error: str, last: int) -> Ints:
        """Lines with this error among the refused lines that directly precede and include `last`; ascending."""
        lines, order = self._sorted()
        if not len(lines) or lines[-1] != last:
            return lines[:0]
        apart = np.flatnonzero(np.diff(lines) != 1)
        begin = int(apart[-1]) + 1 if len(apart) else 0
        matching = np.concatenate([_has(block, error) for block in self.blocks])[order[begin:]]
        found: Ints = lines[begin:][matching]
        return found

    def _sorted(self) -> tuple[Ints, Ints]:
        """The lines in order, and the place of each in the concatenated blocks."""
        if self._by_line is None:
            lines = np.concatenate([np.empty(0, np.int64), *(block.lines for block in self.blocks)])
            if len(self.blocks) > 1:
                order = np.argsort(lines, kind="stable")
                self._by_line = lines[order], order
            else:
                self._by_line = lines, np.arange(len(lines))
        return self._by_line

    def _made(self, which: Ints) -> list[RowError]:
        """The errors at some places of the order by line, which ascend."""
        lines, order = self._sorted()
        numbers, places = lines[which].tolist(), order[which]
        raws = self._source.raws(numbers)
        if len(self.blocks) == 1:
            return self.blocks[0].made(places, numbers, raws)
        found: dict[int, RowError] = {}
        blocks = np.searchsorted(self._starts, places, side="right") - 1
        for number in np.unique(blocks).tolist():
            mine = np.flatnonzero(blocks == number)
            at = mine.tolist()
            own = (places[mine] - self._starts[number], [numbers[each] for each in at], [raws[each] for each in at])
            found.update(zip(at, self.blocks[number].made(*own), strict=True))
        return [found[each] for each in range(len(numbers))]


class RefusedRows:
    """Gathers refused rows one by one. With `explain` only the first 10,000 reasons are kept."""

    def __init__(self, explain: Callable[[bytes], Reason] | None = None) -> None:
        self._explain = explain
        self._reasons: dict[Reason, int] = {}
        self._lines, self._codes = array("q"), array("i")
        self._last: tuple[Reason | None, int] = (None, -1)

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: int, reason: Reason) -> None:
        if reason is not self._last[0]:  # most rows have the reason of the row before
            self._last = reason, self._code(reason)
        self._lines.append(line)
        self._codes.append(self._last[1])

    def _code(self, reason: Reason) -> int:
        code = self._reasons.get(reason, -1)
        if code < 0 and (self._explain is None or len(self._reasons) < _REASONS):
            code = self._reasons[reason] = len(self._reasons)
        return code

    def block(self, forms: Forms | None = None) -> Wrong:
        lines, codes = np.array(self._lines, dtype=np.int64), np.array(self._codes, dtype=np.int32)
        return Wrong(lines, codes, list(self._reasons), forms, self._explain)


def _has(block: Wrong, error: str) -> npt.NDArray[np.bool_]:
    codes = [code for code, (_, said) in enumerate(block.reasons) if said == error]
    return np.isin(block.codes, codes)
