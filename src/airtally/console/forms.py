"""Parses the forms that pages send."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from airtally.kit.errors import BadRequest

_MOST_FIELDS = 300


class FormFields(Mapping[str, str]):
    """The fields of a form: of a repeated one the last value, `all` has each."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(value)

    def __getitem__(self, name: str) -> str:
        return self._values[name][-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def all(self, name: str) -> list[str]:
        """Each value of the field in the order sent, without empty ones."""
        return [value for value in self._values.get(name, []) if value]

    def each(self, name: str) -> list[str]:
        """Each value of the field in the order sent, with empty ones."""
        return list(self._values.get(name, []))

    def text(self, name: str) -> str | None:
        """The value without spaces around it; None for a field that is missing or empty."""
        return self.get(name, "").strip() or None


def read_form(content_type: str, body: bytes) -> FormFields:
    """The fields of a form. A body of another type has no fields.

    Raises BadRequest for a form that cannot be parsed or is not UTF-8, also where it is percent-encoded.
    """
    kind, options = parse_options_header(content_type)
    try:
        if kind == "multipart/form-data":
            return FormFields(_multipart_fields(options.get("boundary", ""), body))
        text = body.decode()
        if kind == "application/x-www-form-urlencoded":
            return FormFields(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
    except (MultipartError, ValueError) as error:  # UnicodeDecodeError is one
        raise BadRequest("The form cannot be read: expected fields of UTF-8 text") from error
    return FormFields()


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
