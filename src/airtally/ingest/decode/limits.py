"""What one body may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`line_max` bytes of one row as text, `unpacked_max` bytes of a Parquet or Arrow body's columns in
    memory, `errors_max` wrong rows above which a body is refused as a whole.
    """

    line_max: int = 1 << 20
    unpacked_max: int = 512 << 20
    errors_max: int = 2_000_000


LIMITS = Limits()
