"""Query strings and bodies of the native API, read into msgspec structs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_type_hints
from urllib.parse import parse_qsl

import msgspec

from airtally.api.problems import MAX_WORDS
from airtally.kit.errors import BadRequest, Unprocessable, UnsupportedMedia
from airtally.kit.sent_json import decode_sent

S = TypeVar("S", bound=msgspec.Struct)


#: What a client sends that says nothing of the type: curl's own for `--data`, and none at all.
_UNSAID = frozenset({"", "application/x-www-form-urlencoded"})


def check_media_type(header: str, taken: Sequence[str]) -> None:
    """Raises UnsupportedMedia for a `Content-Type` that names another type than those of `taken`."""
    name = header.partition(";")[0].strip().lower()
    if name not in _UNSAID and name not in taken:
        raise UnsupportedMedia(f"A body of type {name[:64]} cannot be read", hint=f"Send {' or '.join(taken)}")


def check_encoding(header: str) -> None:
    """Raises UnsupportedMedia for a body that is packed: only batches of rows may be."""
    if header.strip().lower() not in {"", "identity"}:
        raise UnsupportedMedia("A body with a Content-Encoding cannot be read here", hint="Send it as it is")


def read_fields(query_string: bytes, kind: type[S]) -> S:
    """The fields of a query string. Fields that are lists may be given several times, others once.

    Raises BadRequest for a query string that cannot be read, Unprocessable for wrong fields.
    """
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=256)
    except ValueError as error:
        raise BadRequest(f"The query string cannot be read: {error}"[:MAX_WORDS]) from None
    lists = _list_fields(kind)
    found: dict[str, Any] = {}
    for name, text in pairs:
        if "\0" in text:  # PostgreSQL takes no such parameter
            raise Unprocessable(f"The query field `{name[:64]}` has a NUL character")
        if name in lists:
            found.setdefault(name, []).append(text)
        elif name in found:
            raise Unprocessable(f"The query field `{name[:64]}` is given twice")
        else:
            found[name] = text
    return converted(found, kind, "The query string")


def converted(fields: Mapping[str, Any], kind: type[S], what: str) -> S:
    """Texts as the types of the fields. Raises Unprocessable, which names the field."""
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Unprocessable(f"{what} is invalid: {error}"[:MAX_WORDS]) from None


def may_be_empty(kind: Any) -> bool:
    """Whether all fields of a body may be left out, and with them the body."""
    is_struct = isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    return is_struct and not any(each.required for each in msgspec.structs.fields(kind))


def read_json(body: bytes, kind: Any) -> Any:
    """No body is an object without fields, if there may be such.

    Raises BadRequest for what is no JSON object, Unprocessable for an object of another form, naming the place.
    """
    try:
        return decode_sent(b"{}" if not body and may_be_empty(kind) else body, kind)
    except msgspec.ValidationError as error:
        failure = Unprocessable if body.lstrip()[:1] == b"{" else BadRequest
        raise failure(f"The body is invalid: {error}"[:MAX_WORDS]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"The body cannot be read: {error}"[:MAX_WORDS]) from None


def _list_fields(kind: type[msgspec.Struct]) -> set[str]:
    hints = get_type_hints(kind)
    return {name for name, hint in hints.items() if getattr(hint, "__origin__", None) in {list, tuple}}
