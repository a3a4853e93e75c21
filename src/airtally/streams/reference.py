"""Writes docs/reference/streams.md from the declarations: `python -m airtally.streams.reference [FILE]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from airtally.streams import STREAMS
from airtally.streams.declaration import DEFAULT_TEXT_BYTES, Column, Kind, Partition, Stream, Type
from airtally.streams.rollup import MINUTE_US

_INTRODUCTION = """\
# Streams

A stream is a declared, typed log of one kind of row in one account. This page is generated from the
declarations in `src/airtally/streams/` (`python -m airtally.streams.reference docs/reference/streams.md`);
a test keeps it true.

- An **event** happens once. Rows that are equal in the columns named under "Same event" (none of them
  null), in the account and in the UTC day of their time are one event, of which the last received row counts. Other
  rows are different events.
- A row of a **changelog** is a version of the record with its key. The version with the latest
  `last_update_time_utc` is the record; `is_deleted` 1 removes it, a later 0 restores it. A deletion may
  carry the key alone: columns that are required otherwise may be left out.

## Values

| type | on the wire (JSON) | stored as |
|---|---|---|
| int64 | whole number without fraction or exponent | 64-bit integer |
| double | number | 64-bit floating point |
| text | string, UTF-8, without the character U+0000 | text |
| time | RFC 3339 with an offset, such as `2026-11-22T08:00:00.5Z` or `2026-11-22T09:00:00+01:00` | UTC, microseconds |
| local time | the same, the offset may be missing and is dropped | wall clock, microseconds, labelled UTC |
| decimal(18,6) | number, or string with a number | exact decimal |
| json | as the column says | compact JSON text, keys sorted |

Times are within 1970 and 2100; a fraction finer than microseconds is cut; a second 60 is refused. A null is the
same as leaving a field out. A row with a field that the stream does not have is refused, and the error names the field.
Of a field that an object has twice, the last counts. Numbers in text are ASCII digits, without
spaces, separators or line ends.

CSV cells hold the same as text, an empty cell is null, JSON columns hold JSON text. Parquet and Arrow
columns may have any type whose values fit: integers of any width, whole numbers in floating point or decimals,
timestamps of any unit with a zone (for local times the wall clock in that zone; without a zone, INT96 included, only
for local times), dates for local times (midnight), dictionaries; JSON columns as JSON text or nested (at most 200 levels). A value that does
not fit costs its own row: a time out of range in whatever unit, a number too large, NaN, text that is not UTF-8, bytes
or a time where JSON goes. Fixed-size binary, run-end encoded and list view columns are refused as a whole.

## Columns of the server

Every stored row also has `account` (the account's slug), `received_at` (UTC, microseconds), `writer_id` (the process
or file load that took the row) and `sequence`, which increases with each row of a writer; no two rows have the same
`writer_id` and `sequence`. "Last received" means the greatest `received_at`, then `writer_id`, then `sequence`. Tables
that are partitioned by day have the partition column `day`. Releases up to 0.2.0 called `writer_id` `machine`:
[upgrade.md](../guides/upgrade.md#what-to-do).

## Limits

A row of JSON has at most 1 MiB, a body at most what the settings `AIRTALLY_BODY_MAX` and
`AIRTALLY_UNPACKED_MAX` say; a body with more than 2,000,000 invalid rows is refused as a whole.
"""


def reference() -> str:
    """The whole page."""
    sections = (section for stream in STREAMS.values() for section in _stream(stream))
    return "\n".join((_INTRODUCTION, *_overview(), *sections)).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "## Overview\n"
    yield "| stream | kind | rows are kept | setting |"
    yield "|---|---|---|---|"
    for stream in STREAMS.values():
        kept = _kept(stream.retention_days)
        yield f"| [`{stream.name}`](#{stream.name}) | {stream.kind} | {kept} | {_setting(stream.name)} |"
    yield "\nThe setting takes a number of days, or `forever`. A row that is older when it arrives is refused.\n"
    yield from _rollups()


def _rollups() -> Iterator[str]:
    yield "Rollups are built from the rows. They make queries fast, and keep figures after their rows are removed:\n"
    yield "| rollup | of | grain | dimensions | measures | segments are kept | setting |"
    yield "|---|---|---|---|---|---|---|"
    for stream in STREAMS.values():
        for rollup in stream.rollups:
            grain = f"{rollup.grain_us // MINUTE_US} min" + (", and days of the account's zone" if rollup.local else "")
            measures = _names(tuple(measure.name for measure in rollup.measures))
            yield (
                f"| `{rollup.name}` | `{stream.name}` | {grain} | {_names(rollup.dimensions)} | {measures} "
                f"| {_kept(rollup.retention_days)} | {_setting(rollup.name)} |"
            )
    yield (
        "\nRetention removes rows by whole UTC days, a day after their limit and only once the rollups built from them are "
        "current; from then on the segments of that day are final.\n"
    )


def _setting(name: str) -> str:
    return f"`AIRTALLY_RETAIN_{name.upper()}`"


def _kept(days: int | None) -> str:
    return "for ever" if days is None else f"{days} days"


def _stream(stream: Stream) -> Iterator[str]:
    yield f"## {stream.name}\n"
    yield f"{stream.doc}\n"
    yield from _facts(stream)
    yield "| column | type | needed | meaning |"
    yield "|---|---|---|---|"
    for column in stream.columns:
        yield f"| `{column.name}` | {column.type} | {_needed(stream, column)} | {' '.join(_meaning(stream, column))} |"
    yield ""


def _facts(stream: Stream) -> Iterator[str]:
    if stream.kind is Kind.CHANGELOG:
        yield f"- Changelog, key: {_names(stream.key)}"
    else:
        yield f"- Event, time: `{stream.time}`"
        yield f"- Same event: {_names(stream.identity)}"
    partition = {
        Partition.EVENT_DAY: "by UTC day of the event",
        Partition.ARRIVAL_DAY: "by UTC day of arrival",
        Partition.NONE: "none",
    }[stream.partition]
    yield f"- Partitions: {partition}; sorted by account, {', '.join(stream.sort_columns[1:-3])}"
    if stream.owned is not None:
        yield f"- `{stream.owned.column}` belongs to one account of the host; rows with another account's are refused"
    if stream.business is not None:
        yield f"- `{stream.business}` is a business of the account (`airtally slate business create`); others are refused"
    yield ""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _needed(stream: Stream, column: Column) -> str:
    if column.required:
        return "key" if column.name in stream.key else "yes"
    return "no" if column.default is None else f"no, default `{column.default}`"


def _meaning(stream: Stream, column: Column) -> Iterator[str]:
    yield column.doc
    if column.pattern_says:
        yield f"Must be {column.pattern_says}."
    if column.choices:
        yield f"One of {_names(column.choices)}."
    if column.json_says:
        yield f"JSON: {column.json_says}."
    if column.minimum is not None:
        yield f"{column.minimum} or more." if column.maximum is None else f"{column.minimum} to {column.maximum}."
    if column.cut_to_minute:
        yield "Cut to the minute."
    if column.milliseconds:
        yield "Cut to milliseconds."
    if column.type is Type.JSON:
        yield f"Each text inside at most {column.max_bytes:,} bytes."
    elif column.type is Type.TEXT and column.max_bytes != DEFAULT_TEXT_BYTES:
        yield f"At most {column.max_bytes:,} bytes."
    elif column.type is Type.TEXT and column.pattern is None and not column.choices:
        yield f"At most {column.max_bytes} bytes."
    yield from _naming(stream, column)


def _naming(stream: Stream, column: Column) -> Iterator[str]:
    """What the column says of the row's identity, and of a person's."""
    if column.identifies is not None:
        yield f"Names a person (`{column.identifies}`): [privacy.md](../guides/privacy.md)."
    if column.name in stream.named_by:
        yield "Empty is the same as absent." if stream.empty_is_null(column.name) else "Not empty."


if __name__ == "__main__":
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
    else:
        sys.stdout.write(reference())
