"""Tells whether a refused row, kept as it was received, names a person."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from airtally.erasure.person import FOLDED, Person
from airtally.ingest.rejected import RejectedRow
from airtally.kit.sent_json import decode_sent

#: What may stand beside a value in a row that is not JSON, such as a line of CSV.
_BESIDE = r"[^\s,;|\t\"']"


class RawRows:
    """Compares whole values: of JSON its texts and numbers, of other rows what stands between separators."""

    def __init__(self, person: Person) -> None:
        self._exact = {value for kind, value in person.all() if kind not in FOLDED}
        self._folded = {value for kind, value in person.all() if kind in FOLDED}
        words = sorted({value for _, value in person.all()}, key=len, reverse=True)
        self._word = re.compile(f"(?<!{_BESIDE})(?:{'|'.join(map(re.escape, words))})(?!{_BESIDE})", re.IGNORECASE)

    def names(self, row: RejectedRow) -> bool:
        texts = [text for text in (row.raw, row.row) if text]
        if row.raw is None and row.raw_base64:
            texts.append(row.received.decode("utf-8", errors="replace"))
        return any(map(self.is_named_in, texts))

    def is_named_in(self, text: str) -> bool:
        """Whether a value of a JSON text, or a word of another text, is an id of the person."""
        try:
            value = decode_sent(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return self._word.search(text) is not None
        return any(each in self._exact or each.lower() in self._folded for each in _texts(value))


def _texts(value: Any) -> Iterator[str]:
    """Every text and number in a JSON value, as text."""
    if isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
