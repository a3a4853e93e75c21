"""Filters on the dimensions of a map: each is decided for the texts that a column has, then looked up for its rows.

As in SQL, a null meets no condition but `IsNull`, and not the `Not` of another either. So of each filter both are known:
the rows that meet it, and those that surely do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import and_, or_

import numpy as np

from airtally.rollups.maps.columns import Flags, Numbers, TextColumn
from airtally.sql.case import folded
from airtally.sql.filters import AllOf, AnyOf, Between, Comparable, Equals, Filter, IsNull, Like, Not, OneOf
from airtally.streams.declaration import Stream

#: A column's codes in some rows, by its name.
Codes = Mapping[str, Numbers]

TextCondition = Equals | OneOf | Between | Like | IsNull


def can_decide(condition: Filter) -> bool:
    """Whether a filter on dimensions can be decided here; the engine decides the others."""
    match condition:
        case AllOf(parts) | AnyOf(parts):
            return all(map(can_decide, parts))
        case Not(part):
            return can_decide(part)
        case _:
            return isinstance(condition, TextCondition) and isinstance(condition.column, str)


def conjuncts(condition: Filter) -> Iterator[Filter]:
    """The filters all of which a row has to meet."""
    if isinstance(condition, AllOf) or (isinstance(condition, AnyOf) and len(condition.filters) == 1):
        for part in condition.filters:
            yield from conjuncts(part)
    else:
        yield condition


class TextConditions:
    """Conditions of a stream on the columns of one map. Used by one question, in one thread."""

    def __init__(self, stream: Stream, columns: Mapping[str, TextColumn]) -> None:
        self._stream, self._columns = stream, columns

    def codes(self, condition: Equals | OneOf) -> list[int]:
        """Of the texts that meet it, in order."""
        name = str(condition.column)
        values = (condition.value,) if isinstance(condition, Equals) else condition.values
        places = self._columns[name].places
        texts = {self._compared(name, value) for value in values}
        return sorted(places[text] for text in texts if text in places)

    def met(self, condition: Filter, codes: Codes) -> Flags | bool:
        """The rows that meet a filter; a plain truth value is that of all rows."""
        match condition:
            case AllOf(parts):
                return _all(self.met(part, codes) for part in parts)
            case AnyOf(parts):
                return _any(self.met(part, codes) for part in parts)
            case Not(part):
                return self._unmet(part, codes)
            case _:
                return self._looked_up(condition, codes, met=True)

    def _unmet(self, condition: Filter, codes: Codes) -> Flags | bool:
        """The rows that surely do not meet it."""
        match condition:
            case AllOf(parts):
                return _any(self._unmet(part, codes) for part in parts)
            case AnyOf(parts):
                return _all(self._unmet(part, codes) for part in parts)
            case Not(part):
                return self.met(part, codes)
            case _:
                return self._looked_up(condition, codes, met=False)

    def _looked_up(self, condition: Filter, codes: Codes, *, met: bool) -> Flags:
        assert isinstance(condition, TextCondition)  # noqa: S101 (see `can_decide`)
        name = str(condition.column)
        column = self._columns[name]
        decided = self._decided(condition, name)
        if not met:
            decided = ~decided
            if None in column.places and not _is_known_of_null(condition):
                decided[column.places[None]] = False
        flags: Flags = decided[codes[name]]
        return flags

    def _decided(self, condition: TextCondition, name: str) -> Flags:
        """Of each text of a column, whether it meets the condition."""
        texts = self._columns[name].texts
        flags: Flags = np.zeros(len(texts), np.bool_)
        match condition:
            case Equals() | OneOf():
                flags[self.codes(condition)] = True
            case IsNull():
                flags[:] = [text is None for text in texts]
            case Like(_, pattern):
                wanted = self._compared(name, pattern)
                flags[:] = [text is not None and fits(wanted, text) for text in texts]
            case Between():
                open_between = _is_known_of_null(condition)
                flags[:] = [
                    open_between if text is None else self._lies_between(condition, name, text) for text in texts
                ]
        return flags

    def _lies_between(self, condition: Between, name: str, text: str) -> bool:
        """Texts are in the order of their characters' numbers, which is that of their bytes."""
        at_least, below, at_most, above = (
            None if side is None else self._compared(name, side)
            for side in (condition.at_least, condition.below, condition.at_most, condition.above)
        )
        return (
            (at_least is None or text >= at_least)
            and (below is None or text < below)
            and (at_most is None or text <= at_most)
            and (above is None or text > above)
        )

    def _compared(self, name: str, value: Comparable) -> str:
        """The value as segments hold it: keys that are matched without case are in small letters there."""
        return folded(str(value)) if self._stream.by_name[name].fold_case else str(value)


def fits(pattern: str, text: str) -> bool:
    """Whether a text as a whole fits a pattern, in which `*` stands for any run of characters."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    *middle, last = others
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _is_known_of_null(condition: TextCondition) -> bool:
    """Whether a null meets the condition or surely does not; the text it might be may meet any other."""
    match condition:
        case OneOf(_, values):
            return not values
        case Between(_, at_least, below, at_most, above):
            return (at_least, below, at_most, above) == (None, None, None, None)
        case _:
            return isinstance(condition, IsNull)


def _all(flags: Iterable[Flags | bool]) -> Flags | bool:
    return reduce(and_, flags, True)


def _any(flags: Iterable[Flags | bool]) -> Flags | bool:
    return reduce(or_, flags, False)
