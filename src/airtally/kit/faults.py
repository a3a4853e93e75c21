"""Named points at which tests make the server fail or wait. In production they do nothing."""

from __future__ import annotations


class Faults:
    """Passed to `create_app(faults=…)`; tests override `reach`. No request can reach it.

    `reach` is called from worker threads and may raise (a failing disk, a forced error) or block (a job
    held back). Points: `buffer.write`, `lake.flush`, `lake.compact`, `report.build`,
    `statistics.run`, `files.write`, `files.read`, `metadata.read`, `metadata.write`, `dataset.publish`,
    `dataset.commit`, `dataset.settle`, `message.note` (sent, its outcome not recorded), `alarm.note`,
    `schedule.wait`, `schedule.begin`, `schedule.deliver`, `task.step` (done, not noted), `task.end`,
    `usage.forget` (added, and the buffer not told), `usage.count` (committed, and not added),
    `erasure.quarantine` (an entry is read, and not changed yet), `backup.moment` (buffers and metadata fixed, and not
    copied), `rollup.build` (planned), `rollup.commit` (files are built), `rollup.remove` (copies without the account are
    made), `backup.lake` (before the lake), `backup.pin` (rollups pinned, rows not yet), `backup.copy` (before each
    piece of a file), `maps.write` (a segment is read, its map not written yet).
    """

    def reach(self, point: str) -> None:
        """Do nothing."""


NO_FAULTS = Faults()
