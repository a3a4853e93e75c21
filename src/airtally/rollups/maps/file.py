"""Maps as Arrow IPC files of one uncompressed record batch, so that its columns are read where the file is mapped.

A file is finished and synced before it gets its name, and never changed. Its checksum is compared once, as it is opened:
a map is made anew where it differs, as it is of no use where any bit of it is in doubt.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow as pa

from airtally.kit.durable import publish_file
from airtally.rollups.maps.columns import MeasureColumn, Numbers, SegmentColumns, TextColumn, TimeColumn

#: Of the layout. A file of another version is made anew.
VERSION = 1
#: What a file that is not finished is named; `SegmentMaps` removes those that were left behind.
DRAFT = ".draft"
_ABOUT = b"airtally"
_TIME = "time"


class _AboutMap(msgspec.Struct, frozen=True):
    """What a file says of itself. `checksum` is the CRC-32 of all this, with 0 in its place, and of the columns in order."""

    version: int
    accounts: dict[str, tuple[int, int]]
    dimensions: tuple[str, ...]
    time: tuple[int, int, int]
    measures: dict[str, tuple[int, int]]
    checksum: int = 0


class MapUnusable(Exception):
    """A file that is no whole map of this version."""


def write_map(path: Path, columns: SegmentColumns) -> int:
    """Publish a map under its name, in place of what is there; returns its size. Raises OSError."""
    arrays = [
        *(pa.DictionaryArray.from_arrays(pa.array(each.codes), each.values) for each in columns.dimensions.values()),
        pa.array(columns.time.codes),
        *(pa.array(each.figures) for each in columns.measures.values()),
    ]
    names = [*(f"by {name}" for name in columns.dimensions), _TIME, *(f"sum {name}" for name in columns.measures)]
    time = columns.time
    about = _AboutMap(
        version=VERSION,
        accounts=dict(columns.accounts),
        dimensions=tuple(columns.dimensions),
        time=(time.first_us, time.unit_us, time.last),
        measures={name: (each.least, each.most) for name, each in columns.measures.items()},
    )
    about = msgspec.structs.replace(about, checksum=_checksum(about, arrays))
    batch = pa.RecordBatch.from_arrays(arrays, names).replace_schema_metadata({_ABOUT: msgspec.json.encode(about)})
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}{DRAFT}")
    try:
        with pa.OSFile(str(draft), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
            writer.write_batch(batch)
        publish_file(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    return path.stat().st_size


def read_map(path: Path) -> SegmentColumns:
    """A map where it lies: its pages are read as they are used. It stays readable after the file is removed.

    Raises FileNotFoundError, and MapUnusable.
    """
    try:
        with pa.memory_map(str(path)) as source:
            reader = pa.ipc.open_file(source)
            about = msgspec.json.decode((reader.schema.metadata or {}).get(_ABOUT, b""), type=_AboutMap)
            if about.version != VERSION or reader.num_record_batches != 1:
                raise MapUnusable(f"of version {about.version}")
            batch = reader.get_batch(0)
    except (pa.ArrowException, msgspec.DecodeError) as error:
        raise MapUnusable(str(error)) from None
    if _checksum(about, batch.columns) != about.checksum:
        raise MapUnusable("its checksum differs")
    return _columns_of(batch.columns, about)


def _columns_of(arrays: list[pa.Array], about: _AboutMap) -> SegmentColumns:
    count = len(about.dimensions)
    texts = dict(zip(about.dimensions, arrays[:count], strict=True))
    figures = dict(zip(about.measures, arrays[count + 1 :], strict=True))
    return SegmentColumns(
        accounts=about.accounts,
        dimensions={name: TextColumn(_numbers(each.indices), each.dictionary) for name, each in texts.items()},
        time=TimeColumn(_numbers(arrays[count]), *about.time),
        measures={name: MeasureColumn(_numbers(each), *about.measures[name]) for name, each in figures.items()},
    )


def _numbers(values: pa.Array) -> Numbers:
    numbers: Numbers = values.to_numpy(zero_copy_only=True)
    return numbers


def _checksum(about: _AboutMap, arrays: Iterable[pa.Array]) -> int:
    checksum = zlib.crc32(msgspec.json.encode(msgspec.structs.replace(about, checksum=0)))
    for each in arrays:
        codes = each.indices if isinstance(each, pa.DictionaryArray) else each
        checksum = zlib.crc32(pa.py_buffer(_numbers(codes)), checksum)
        if isinstance(each, pa.DictionaryArray):
            checksum = zlib.crc32(msgspec.json.encode(each.dictionary.to_pylist()), checksum)
    return checksum
