"""Forms of pages as they come in: text, or refused."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from airtally.kit.errors import BadRequest

_MOST_FIELDS = 100


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """Of a field that stands twice the last counts; a body of another type has none.

    Raises BadRequest for bytes that are no UTF-8, written as they are or as %FF, and for what cannot be taken apart.
    """
    kind, options = parse_options_header(content_type)
    try:
        if kind == "multipart/form-data":
            return dict(_multipart_fields(options.get("boundary", ""), body))
        text = body.decode()
        if kind == "application/x-www-form-urlencoded":
            return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
    except (MultipartError, ValueError) as error:  # UnicodeDecodeError is one
        raise BadRequest("The form cannot be read: expected fields of UTF-8 text") from error
    return {}


def _multipart_fields(boundary: str, body: bytes) -> Iterator[tuple[str, str]]:
    if not boundary:
        raise ValueError("no boundary")
    name, chunks = "", list[bytes]()
    with PushMultipartParser(boundary.encode("latin-1"), max_segment_count=_MOST_FIELDS) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                name, chunks = event.name, []
            elif event is None:
                yield name, b"".join(chunks).decode()
            else:
                chunks.append(bytes(event))
