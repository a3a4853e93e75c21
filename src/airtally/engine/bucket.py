"""Reading a lake in a bucket through Arrow, as DuckDB would have to download an extension to do it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from pyarrow import fs

from airtally.storage.lake.snapshot import DataFile
from airtally.streams.declaration import ACCOUNT


def dataset(files: Sequence[DataFile], schema: pa.Schema) -> ds.Dataset:
    """A dataset that reads only the needed columns and row groups. Credentials come from the environment."""
    filesystem = _filesystem(files[0].path, os.environ)
    paths = [urlsplit(file.path).netloc + urlsplit(file.path).path for file in files]
    return ds.FileSystemDataset.from_paths(paths, schema, ds.ParquetFileFormat(), filesystem)


def _filesystem(url: str, environ: Mapping[str, str]) -> fs.FileSystem:
    """Arrow's own file system: with one written in Python, DuckDB and Arrow deadlock now and then."""
    if urlsplit(url).scheme in {"s3", "s3a"}:
        return fs.S3FileSystem(**_s3_options(environ))
    filesystem, _ = fs.FileSystem.from_uri(url)
    return filesystem


def _s3_options(environ: Mapping[str, str]) -> dict[str, str]:
    """Region and endpoint from the variables that the lake's writer reads; Arrow itself finds keys and tokens."""
    options = {}
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or environ.get("AWS_ENDPOINT")
    if region:
        options["region"] = region
    if endpoint:
        options |= {"scheme": urlsplit(endpoint).scheme, "endpoint_override": urlsplit(endpoint).netloc}
    return options


def accounts_in(file: DataFile) -> list[str]:
    """Slugs of the accounts that a data file has rows of, sorted."""
    schema = pa.schema([ACCOUNT])
    found = dataset([file], schema) if file.on_bucket else ds.dataset(file.path, schema)
    return sorted(pc.unique(found.to_table().column(ACCOUNT.name)).to_pylist())
