"""Extracts the signed text from a posted form, byte for byte as the client wrote it.

docs/vendors/scaleengine.md#1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

JSON_FIELD, PHP_FIELD = "json", "php"


@dataclass(frozen=True, slots=True)
class Posted:
    """`text` is None where the form has neither field. `serialized`: the reply is wanted from PHP's serialize()."""

    text: bytes | None
    serialized: bool = False


def read_form(content_type: str, body: bytes) -> Posted:
    """The field `json`, else `php`; names in any case, the last of several."""
    try:
        fields = dict(_fields(content_type, body))
    except MultipartError:
        return Posted(None)
    if JSON_FIELD in fields:
        return Posted(fields[JSON_FIELD])
    return Posted(fields.get(PHP_FIELD), PHP_FIELD in fields)


def _fields(content_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    kind, options = parse_options_header(content_type)
    if kind == "multipart/form-data":
        return _multipart_fields(options.get("boundary", ""), body)
    if kind == "application/x-www-form-urlencoded":
        return _pairs(body)
    return iter(())


def _pairs(body: bytes) -> Iterator[tuple[str, bytes]]:
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        yield _folded(_unquoted(name).decode("latin-1")), _unquoted(value)


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


def _multipart_fields(boundary: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """Parts with a file name or a type of their own are fields like the others."""
    name, chunks = "", list[bytes]()
    with PushMultipartParser(boundary.encode("latin-1", "replace"), header_charset="latin-1") as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                name, chunks = _folded(event.name), []
            elif event is None:
                yield name, b"".join(chunks)
            else:
                chunks.append(bytes(event))


def _folded(name: str) -> str:
    return name.lower()
