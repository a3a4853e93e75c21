"""A job's sources as relations of the engine, opened before the process gives up opening anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from sqlglot import exp

from airtally.engine.bucket import dataset
from airtally.engine.confined.job import ConfinedFiles
from airtally.engine.confined.opened import MappedFile, OpenedFiles
from airtally.engine.confined.proof import is_of_account_alone
from airtally.streams.declaration import ACCOUNT

_SHARED = "_shared"


class ConfinedRelations:
    """Registers sources with a connection whose file system `opened` is. Afterwards no path of another is readable."""

    def __init__(self, connection: Any, opened: OpenedFiles) -> None:
        self._connection, self._opened = connection, opened
        self._allowed: list[str] = []
        self._views: list[str] = []

    def register(self, sources: Mapping[str, ConfinedFiles | pa.Table]) -> None:
        """Raises OSError and ArrowException for a file that cannot be opened, FileNotFoundError among them."""
        for name, source in sources.items():
            if isinstance(source, pa.Table):
                self._connection.register(name, source)
            elif source.on_bucket:
                self._connection.register(name, _of_account(dataset(source.files, source.schema), source))
            else:
                self._open(name, source)
        self._connection.execute("SET allowed_paths = $paths", {"paths": self._allowed})
        for view in self._views:
            self._connection.execute(view)

    def _open(self, name: str, source: ConfinedFiles) -> None:
        alone: list[str] = []
        shared: list[pa.NativeFile] = []
        for file in source.files:
            mapped = MappedFile(file.path)
            stream = pa.BufferReader(pa.py_buffer(mapped.memory))
            if source.account is None or is_of_account_alone(stream, source.account):
                alone.append(self._opened.add(mapped))
            else:
                stream.seek(0)
                shared.append(stream)
        self._allowed += alone
        if not alone:
            self._connection.register(name, _filtered(source, shared))
            return
        if shared:
            self._connection.register(name + _SHARED, _filtered(source, shared))
        self._views.append(_view(name, source.schema.names, alone, shared=bool(shared)))


def load_dialect() -> None:
    """Load what writes views: sqlglot does so at the first one, 30 ms that each forked process would take anew."""
    _view("first", ["first"], ["first"], shared=True)


def _view(name: str, columns: Iterable[str], paths: list[str], *, shared: bool) -> str:
    listed = exp.Array(expressions=[exp.Literal.string(path) for path in paths])
    named = [exp.column(each, quoted=True) for each in columns]
    query: exp.Query = exp.select(*named).from_(exp.func("read_parquet", listed))
    if shared:
        query = exp.union(query, exp.select(*named).from_(exp.to_table(name + _SHARED)), distinct=False)
    return f"CREATE TEMP VIEW {exp.to_identifier(name, quoted=True).sql('duckdb')} AS {query.sql('duckdb')}"


def _of_account(found: ds.Dataset, source: ConfinedFiles) -> ds.Dataset:
    """A filter on the account holds whatever the statement says."""
    return found if source.account is None else found.filter(pc.field(ACCOUNT.name) == source.account)


def _filtered(source: ConfinedFiles, files: Iterable[pa.NativeFile]) -> ds.Dataset:
    """Texts are read as dictionaries, as they stand in the files: to compare and to group by them takes half the time."""
    names, schema = _dictionaries(source), source.schema
    for name in names:
        coded = pa.field(name, pa.dictionary(pa.int32(), pa.string()))
        schema = schema.set(schema.get_field_index(name), coded)
    form = ds.ParquetFileFormat(dictionary_columns=names)
    fragments = [form.make_fragment(each) for each in files]
    return _of_account(ds.FileSystemDataset(fragments, schema, form), source)


def _dictionaries(source: ConfinedFiles) -> list[str]:
    return [] if source.account is None else [ACCOUNT.name]
