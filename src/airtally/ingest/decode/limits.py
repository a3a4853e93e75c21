"""Limits of decoding one body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """`line_max`: bytes of one row as text. `unpacked_max`: bytes of a Parquet or Arrow body in memory. `errors_max`: a
    body with more wrong rows is refused as a whole. `holds` is called with the bytes that a Parquet or Arrow body is
    about to take in memory, and may wait until there is room. `columns`: lines of JSON are read as columns where that
    gives the same (`line_columns.py`).
    """

    line_max: int = 1 << 20
    unpacked_max: int = 512 << 20
    errors_max: int = 2_000_000
    holds: Callable[[int], object] = lambda _: None
    columns: bool = True


LIMITS = DecodeLimits()
