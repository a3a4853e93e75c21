"""The slots of a cron expression in a time zone: the instants at which it comes due.

Of an expression with times of the clock (`30 2 * * *`) each time comes once a day: one that a clock change skips comes
at the change, one that comes twice counts the first time. An expression by interval (`*/15 * * * *`, `0 * * * *`) comes
at every instant at which the wall clock matches: times that are skipped do not come, those that repeat come twice. So
does Debian's cron.

Instants are microseconds UTC. What is found does not depend on where the search begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from zoneinfo import ZoneInfo

from airtally.kit.time import DAY_US
from airtally.kit.zones import Span, spans
from airtally.schedules.cron import CronExpression

_WINDOW_US = 40 * DAY_US
#: A wall clock differs by less from UTC.
_MARGIN_US = DAY_US
#: A clock change this long before an instant still tells whether its wall clock time comes for the second time.
_BEFORE_US = 2 * DAY_US


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Wall clock times [first, end) of one offset; `at_change_us` is the slot that a change before them skipped."""

    offset_us: int
    first_wall_us: int
    end_wall_us: int
    at_change_us: int | None


@dataclass(frozen=True, slots=True)
class CronSlots:
    """The slots of an expression in a zone."""

    cron: CronExpression
    zone: ZoneInfo

    def after(self, moment_us: int) -> Iterator[int]:
        """The slots after a moment, earliest first; ends where none comes for fifty years."""
        at: int | None = moment_us + 1
        while at is not None and (at := self._first_near(at)) is not None:
            end = at + _WINDOW_US
            for each in self._stretches(at, end):
                yield from self._slots_of(each)
            at = end

    def first_after(self, moment_us: int) -> int | None:
        return next(self.after(moment_us), None)

    def last(self, after_us: int, until_us: int, most: int) -> list[int]:
        """The last `most` slots that are later than `after_us` and not later than `until_us`, earliest first."""
        return list(islice(self._back(after_us + 1, until_us + 1), most))[::-1]

    def _back(self, start_us: int, end_us: int) -> Iterator[int]:
        """The slots in [start_us, end_us), latest first."""
        end: int | None = end_us
        while end is not None and end > start_us and (end := self._last_near(start_us, end)) is not None:
            start = max(start_us, end - _WINDOW_US)
            for each in reversed(self._stretches(start, end)):
                yield from self._slots_back(each)
            end = start

    def _first_near(self, at_us: int) -> int | None:
        """A moment from `at_us` on, before which there is no slot."""
        wall = next(self.cron.walls(at_us - _MARGIN_US), None)
        return None if wall is None else max(at_us, wall - _MARGIN_US)

    def _last_near(self, start_us: int, end_us: int) -> int | None:
        """A moment up to `end_us`, from which on there is no slot before it."""
        wall = next(self.cron.walls_back(start_us - _MARGIN_US, end_us + _MARGIN_US), None)
        return None if wall is None else min(end_us, wall + _MARGIN_US)

    def _stretches(self, start_us: int, end_us: int) -> list[_Stretch]:
        """[start_us, end_us) by clock changes, with those shortly before: their times may come again."""
        found = spans(start_us - _BEFORE_US, end_us, self.zone)
        before = [found[0].offset_us, *(each.offset_us for each in found)]
        pairs = zip(found, before, strict=False)
        return [self._stretch(span, offset, start_us) for span, offset in pairs if span.end_us > start_us]

    def _stretch(self, span: Span, before_us: int, start_us: int) -> _Stretch:
        """The part of a span from `start_us` on; `before_us` is the offset before the span."""
        by_clock = not self.cron.by_interval
        counted = max(span.offset_us, before_us) if by_clock else span.offset_us
        wall = max(span.start_us + counted, start_us + span.offset_us)
        skipped = by_clock and span.start_us >= start_us and self._skips(span, before_us)
        return _Stretch(span.offset_us, wall, span.end_us + span.offset_us, span.start_us if skipped else None)

    def _skips(self, span: Span, before_us: int) -> bool:
        """Whether the change at which the span begins skips a time, and the time after it is none itself."""
        start, offset = span.start_us, span.offset_us
        if not self.cron.any_wall(start + before_us, start + offset):
            return False
        return not self.cron.any_wall(start + offset, start + offset + 1)

    def _slots_of(self, each: _Stretch) -> Iterator[int]:
        if each.at_change_us is not None:
            yield each.at_change_us
        for wall in self.cron.walls(each.first_wall_us, each.end_wall_us):
            yield wall - each.offset_us

    def _slots_back(self, each: _Stretch) -> Iterator[int]:
        for wall in self.cron.walls_back(each.first_wall_us, each.end_wall_us):
            yield wall - each.offset_us
        if each.at_change_us is not None:
            yield each.at_change_us
