"""Files of a lake on a bucket, for an engine that must not fetch an extension to reach one."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
from deltalake.fs import DeltaStorageHandler

from airtally.lake.snapshot import DataFile


def on_bucket(files: Sequence[DataFile]) -> bool:
    """A lake lies in one place: its files are all on a bucket, or none is."""
    return bool(files) and "://" in files[0].path


def dataset(files: Sequence[DataFile], table_url: str, schema: pa.Schema) -> ds.Dataset:
    """Reads only the columns and row groups that are asked for; credentials come from the environment."""
    root = table_url.rstrip("/") + "/"
    filesystem = pyarrow.fs.PyFileSystem(DeltaStorageHandler(root))
    paths = [file.path.removeprefix(root) for file in files]
    return ds.dataset(paths, schema=schema, format="parquet", filesystem=filesystem)
