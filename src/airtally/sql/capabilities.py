"""How engines differ, for the code that plans a statement."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do. Queries are planned by this, not by the engine's name.

    `file_lists`: reads exactly the files it is given, so compacted files can be told from uncompacted ones.
    `buffered_rows`: sees rows that are not in the lake yet; without it a snapshot must be flushed.
    `keeps_order`: rows of an ordered subquery keep their order through what is computed from each.
    `time_type`: has a type for the time of day, whose text is the quickest way to it.
    `wide_sums`: sums of bigint are wider than 64 bits by themselves.
    `bit_sets`: aggregates numbers into sets of bits, for distinct counts that need not be exact.
    `writes_parquet`: writes an answer into a Parquet file itself (`Engine.write_parquet`).
    """

    name: str
    dialect: str
    file_lists: bool
    buffered_rows: bool
    keeps_order: bool
    time_type: bool
    wide_sums: bool
    bit_sets: bool = False
    writes_parquet: bool = False
