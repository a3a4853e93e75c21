"""Rendering under way: it is kept between calls, each of which goes on for a while and gives the parts it finished.

So a call of one export never holds the child process for long, and others take their turns in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from airtally.engine.child import HeavyOptions, engine_in_child
from airtally.engine.protocol import Engine
from airtally.exports.lane_copier import LaneCopier, can_be_copied
from airtally.exports.lane_writer import LaneSteps, LaneWriter
from airtally.exports.lanes import ExportLane, RenderedPart, RenderJob
from airtally.exports.sources import source_of
from airtally.kit.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Advance:
    """`done_rows` is how far all lanes are, in rows read; `over` whether they have ended."""

    parts: tuple[RenderedPart, ...]
    done_rows: int
    over: bool


class RenderSessions:
    """The renderings that are kept in this process, by a name. One thread at a time advances each."""

    def __init__(self) -> None:
        self._kept: dict[str, list[_RunningLane]] = {}

    def advance(self, name: str, engine: Callable[[], Engine], job: RenderJob | None, seconds: float) -> Advance:
        """Go on for some seconds, at least one step. `job` begins it; later calls have none.

        Raises what the engine raises, StorageFull, and Unavailable where the process has lost it.
        """
        if job is not None:
            opened = engine()
            self._kept[name] = [_RunningLane(_steps_of(job, each, opened), each.done_rows) for each in job.lanes]
        lanes = self._kept.get(name)
        if lanes is None:
            raise Unavailable("The process that made this export has ended; it goes on after its last finished part")
        try:
            parts = _advance_all(lanes, time.monotonic() + seconds)
        except BaseException:
            self.drop(name)
            raise
        over = all(each.over for each in lanes)
        if over:
            self._kept.pop(name, None)
        return Advance(parts, sum(each.done_rows for each in lanes), over)

    def drop(self, name: str) -> None:
        """End a rendering; what is not finished is removed. Does nothing where there is none."""
        for each in self._kept.pop(name, ()):
            each.close()


class _RunningLane:
    def __init__(self, lane: LaneSteps, done_rows: int) -> None:
        self._steps = lane.steps()
        self.done_rows = done_rows
        self.over = False

    def until(self, deadline: float) -> list[RenderedPart]:
        parts: list[RenderedPart] = []
        for step in self._steps:
            self.done_rows = step.done_rows
            if step.part is not None:
                parts.append(step.part)
            if time.monotonic() >= deadline:
                return parts
        self.over = True
        return parts

    def close(self) -> None:
        self._steps.close()


def _steps_of(job: RenderJob, lane: ExportLane, engine: Engine) -> LaneSteps:
    source = source_of(job, engine)
    return LaneCopier(engine, job, lane, source) if can_be_copied(job, engine) else LaneWriter(job, lane, source)


def _advance_all(lanes: list[_RunningLane], deadline: float) -> tuple[RenderedPart, ...]:
    if len(lanes) == 1:
        return tuple(lanes[0].until(deadline))
    with ThreadPoolExecutor(len(lanes)) as pool:
        found = [pool.submit(each.until, deadline) for each in lanes if not each.over]
        return tuple(part for each in found for part in each.result())


_IN_CHILD = RenderSessions()


def advance_in_child(options: HeavyOptions, name: str, job: RenderJob | None, seconds: float) -> Advance:
    """`RenderSessions.advance` of the child process."""
    return _IN_CHILD.advance(name, partial(engine_in_child, options), job, seconds)


def drop_in_child(name: str) -> None:
    _IN_CHILD.drop(name)
