"""What one body may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """`line_max` bytes of one row as text, `unpacked_max` bytes of a Parquet or Arrow body's columns in
    memory, `errors_max` wrong rows above which a body is refused as a whole. `holds` is told how many bytes of a
    Parquet or Arrow body are about to be in memory, and may wait until there is room.
    """

    line_max: int = 1 << 20
    unpacked_max: int = 512 << 20
    errors_max: int = 2_000_000
    holds: Callable[[int], object] = lambda _: None


LIMITS = DecodeLimits()
