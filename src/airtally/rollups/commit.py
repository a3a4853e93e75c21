"""The one commit that changes a rollup's files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from deltalake.transaction import AddAction

from airtally.rollups.rollups import Rollups
from airtally.rollups.table import KEPT, RollupTable, RollupTableVersion, StoredFile, day_number
from airtally.rollups.units import remove_action


def replace_files(
    rollups: Rollups,
    table: RollupTable,
    view: RollupTableVersion,
    gone: Sequence[StoredFile],
    new: Sequence[AddAction],
    **more: int,
) -> None:
    """Put `new` in the place of `gone`, with the application transactions in `more`.

    Raises CommitConflict if the table has changed since `view`.
    """
    now_ms = rollups.lake.clock.now_us() // 1000
    actions: list[Any] = [*new, *(remove_action(file, now_ms) for file in gone)]
    if view.kept_from is None:
        more = {KEPT: day_number(rollups.kept_from(table.rollup)), **more}
    table.replace(table.open_version(view.version), view, actions, **more)
    rollups.removed([file.data for file in gone])
