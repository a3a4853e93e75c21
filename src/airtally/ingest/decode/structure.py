"""What has to hold of a Parquet or Arrow body before its values are looked at: which types are read, what the values
take in memory, and that offsets and indices stay within the data. Values are judged later, row by row.
"""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kind

from airtally.kit.errors import BadRequest

#: How deep values may be nested.
_DEEPEST = 8


def check_schema(schema: pa.Schema) -> None:
    """Raises BadRequest where there are no columns, for names given twice and for types that no column is read from."""
    try:
        _check_schema(schema)
    except UnicodeDecodeError:  # the library takes what is no text, and fails whenever somebody looks at it
        raise BadRequest("the name of a column, or of a time zone, is not UTF-8") from None


def _check_schema(schema: pa.Schema) -> None:
    names = schema.names
    if not names:
        raise BadRequest("the body has no columns")
    for field in schema:
        if names.count(field.name) > 1:
            raise BadRequest(f"the column {field.name[:128]} is there twice")
        if not _readable(field.type, deep=_DEEPEST) or kind.is_fixed_size_binary(field.type):
            raise BadRequest(f"the column {field.name[:128]} has a type that is not read: {str(field.type)[:200]}")


def _readable(sent: pa.DataType, *, deep: int) -> bool:
    """Not those of which a few bytes may stand for any number of values: run ends and list views."""
    if kind.is_dictionary(sent):
        return _is_flat(sent.value_type)
    if kind.is_list(sent) or kind.is_large_list(sent) or kind.is_fixed_size_list(sent):
        return deep > 0 and _readable(sent.value_type, deep=deep - 1)
    if kind.is_map(sent):
        return deep > 0 and _is_flat(sent.key_type) and _readable(sent.item_type, deep=deep - 1)
    if kind.is_struct(sent) or kind.is_union(sent):
        return deep > 0 and all(_readable(sent.field(i).type, deep=deep - 1) for i in range(sent.num_fields))
    return _is_flat(sent)


def _is_flat(sent: pa.DataType) -> bool:
    """Raises UnicodeDecodeError for a zone that is no text."""
    if kind.is_timestamp(sent):
        return sent.tz is None or isinstance(sent.tz, str)
    flat = (
        kind.is_null,
        kind.is_boolean,
        kind.is_integer,
        kind.is_floating,
        kind.is_decimal,
        kind.is_temporal,
        kind.is_interval,
    )
    return _has_text(sent) or kind.is_fixed_size_binary(sent) or any(is_kind(sent) for is_kind in flat)


def _has_text(sent: pa.DataType) -> bool:
    texts = (kind.is_string, kind.is_large_string, kind.is_binary, kind.is_large_binary)
    return _is_view(sent) or any(is_kind(sent) for is_kind in texts)


def _is_view(sent: pa.DataType) -> bool:
    return bool(kind.is_string_view(sent) or kind.is_binary_view(sent))


def unpacked_size(data: pa.RecordBatch | pa.Array) -> int:
    """Bytes of the values once every one stands for itself (a dictionary may name one value very often)."""
    if isinstance(data, pa.RecordBatch):
        return sum(map(unpacked_size, data.columns))
    sent = data.type
    if kind.is_dictionary(sent):
        return _dictionary_size(data)
    if kind.is_union(sent):
        return _union_size(data)
    if kind.is_nested(sent):
        return sum(map(unpacked_size, _members(data)))
    return int(_text_lengths(data).sum()) if _is_view(sent) else int(data.nbytes)


def _members(data: pa.Array) -> list[pa.Array]:
    """What the rows of a struct, map or list are made of."""
    if kind.is_struct(data.type):
        return [data.field(i) for i in range(data.type.num_fields)]
    if not kind.is_map(data.type):
        return [data.flatten()]
    begin, end = (data.offsets[0].as_py(), data.offsets[-1].as_py()) if len(data) else (0, 0)
    return [each.slice(begin, end - begin) for each in (data.keys, data.items)]


def _dictionary_size(data: pa.DictionaryArray) -> int:
    if not _has_text(data.dictionary.type):
        return 8 * len(data)
    indices = data.indices.drop_null().to_numpy(zero_copy_only=False)
    return int(_text_lengths(data.dictionary)[indices].sum()) if len(indices) else 0


def _text_lengths(texts: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Bytes of each text; 0 for a null."""
    if not _is_view(texts.type):
        return np.asarray(pc.fill_null(pc.binary_length(texts), 0)).astype(np.int64)
    views = np.frombuffer(texts.buffers()[1], "<i4").reshape(-1, 4)  # a view is 16 bytes and begins with the length
    lengths = views[texts.offset : texts.offset + len(texts), 0].astype(np.int64)
    return np.where(np.asarray(pc.is_valid(texts)), lengths, 0)


def _union_size(data: pa.UnionArray) -> int:
    children = [data.field(i) for i in range(data.type.num_fields)]
    if data.type.mode == "sparse":
        return sum(map(unpacked_size, children))
    codes, offsets = np.asarray(data.type_codes), np.asarray(data.offsets)
    total = 0
    for code, child in zip(data.type.type_codes, children, strict=True):
        used = offsets[codes == code]
        again = len(used) if len(np.unique(used)) < len(used) else 1  # one large value may stand in every row
        total += again * unpacked_size(child)
    return total


def check_structure(batch: pa.RecordBatch) -> None:
    """Raises ArrowInvalid where offsets or indices leave the data, which would be read as they are.

    What the library calls invalid beyond that (text that is not UTF-8, a time of day beyond 24 hours, a decimal
    wider than its type) is a value of one row, and no reason to refuse the others. Views may name one text very
    often, so these are not read before it is known what they come to.
    """
    if not any(map(_holds_view, batch.schema.types)):
        with suppress(pa.ArrowInvalid):
            batch.validate(full=True)
            return
    for column in batch.columns:
        _check_array(column)


def _holds_view(sent: pa.DataType) -> bool:
    if kind.is_dictionary(sent):
        return _holds_view(sent.value_type)
    return _is_view(sent) or any(_holds_view(sent.field(i).type) for i in range(sent.num_fields))


def _check_array(array: pa.Array) -> None:
    sent = array.type
    array.validate()
    _check_nulls(array)
    if kind.is_dictionary(sent):
        _check_indices(array)
        _check_array(array.dictionary)
    elif kind.is_struct(sent):
        for i in range(sent.num_fields):
            _check_array(array.field(i))
    elif kind.is_union(sent):
        _check_union(array)
    elif kind.is_list(sent) or kind.is_large_list(sent) or kind.is_map(sent):
        wanted = pa.large_list(pa.null()) if kind.is_large_list(sent) else pa.list_(pa.null())
        children = [pa.nulls(len(array.values))]
        _as(wanted, array, array.buffers()[:2], children).validate(full=True)
        for child in (array.keys, array.items) if kind.is_map(sent) else (array.values,):
            _check_array(child)
    elif kind.is_fixed_size_list(sent):
        _check_array(array.values)
    elif _has_text(sent):
        _as(_BYTES.get(sent, sent), array, array.buffers()).validate(full=True)


_BYTES = {
    pa.string(): pa.binary(),
    pa.large_string(): pa.large_binary(),
    pa.string_view(): pa.binary_view(),
}


def _as(
    wanted: pa.DataType, array: pa.Array, buffers: list[pa.Buffer], children: list[pa.Array] | None = None
) -> pa.Array:
    """The same buffers as another type of the same layout."""
    return pa.Array.from_buffers(
        wanted, len(array), buffers, null_count=array.null_count, offset=array.offset, children=children
    )


def _check_nulls(array: pa.Array) -> None:
    """A stream says how many nulls an array has, and which; what is judged later believes either."""
    if kind.is_union(array.type) or kind.is_null(array.type):
        return  # without a bitmap
    valid = array.buffers()[0]
    nulls = 0
    if valid is not None:
        shown = pa.Array.from_buffers(pa.bool_(), len(array), [None, valid], offset=array.offset)
        nulls = len(array) - shown.true_count
    if nulls != array.null_count:
        raise pa.ArrowInvalid("a column has not as many nulls as it says")


def _check_indices(array: pa.DictionaryArray) -> None:
    bounds = pc.min_max(array.indices).as_py()
    if bounds["min"] is not None and not 0 <= bounds["min"] <= bounds["max"] < len(array.dictionary):
        raise pa.ArrowInvalid("a dictionary's index is out of bounds")


def _check_union(array: pa.UnionArray) -> None:
    children = [array.field(i) for i in range(array.type.num_fields)]
    nulls = [pa.nulls(len(child)) for child in children]
    if array.type.mode == "sparse":
        bare = pa.UnionArray.from_sparse(array.type_codes, nulls, type_codes=array.type.type_codes)
    else:
        bare = pa.UnionArray.from_dense(array.type_codes, array.offsets, nulls, type_codes=array.type.type_codes)
    bare.validate(full=True)
    for child in children:
        _check_array(child)
