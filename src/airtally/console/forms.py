"""Parses the forms that pages send."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from airtally.kit.errors import BadRequest

_MOST_FIELDS = 100


def read_form(content_type: str, body: bytes) -> dict[str, str]:
    """The fields of a form; of a repeated field the last value counts. A body of another type has no fields.

    Raises BadRequest for a form that cannot be parsed or is not UTF-8, also where it is percent-encoded.
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
