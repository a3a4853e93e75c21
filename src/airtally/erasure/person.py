"""The person whose rows are erased, as the ids by which rows name one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from airtally.accounts.secrets import Secrets
from airtally.kit.errors import BadRequest
from airtally.streams import STREAMS
from airtally.streams.declaration import DEFAULT_TEXT_BYTES, Stream

#: The kinds of ids that some stream names persons by.
KINDS: tuple[str, ...] = tuple(
    dict.fromkeys(str(column.identifies) for stream in STREAMS.values() for column in stream.person_columns)
)
#: Kinds whose ids are the same in any case of their letters.
FOLDED = frozenset({"email"})
#: The streams that may name a person.
PERSON_STREAMS: tuple[Stream, ...] = tuple(stream for stream in STREAMS.values() if stream.person_columns)
MOST_IDS = 1000


@dataclass(frozen=True, slots=True)
class Person:
    """The ids of one person, by kind. At least one; see `person_of` for ids that come from outside."""

    ids: Mapping[str, tuple[str, ...]]

    def wanted(self, stream: Stream) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The columns of a stream that may name the person, with the ids they name them by."""
        pairs = ((column.name, self.ids.get(str(column.identifies), ())) for column in stream.person_columns)
        return tuple((name, values) for name, values in pairs if values)

    def all(self) -> Iterator[tuple[str, str]]:
        """Each id with its kind."""
        return ((kind, value) for kind, values in self.ids.items() for value in values)

    def with_ids(self, kind: str, values: set[str]) -> Person:
        """With more ids of a kind."""
        return Person({**self.ids, kind: tuple(sorted({*self.ids.get(kind, ()), *values}))})

    def to_json(self) -> str:
        return msgspec.json.encode(self.ids).decode()

    @classmethod
    def from_json(cls, text: str) -> Person:
        return cls(msgspec.json.decode(text, type=dict[str, tuple[str, ...]]))


def folded_columns(stream: Stream) -> frozenset[str]:
    """The columns of a stream that are compared in small letters."""
    return frozenset(column.name for column in stream.person_columns if column.identifies in FOLDED)


def hashed_id(secrets: Secrets, kind: str, value: str) -> str:
    """The keyed hash by which an id is recognised after it was forgotten."""
    return secrets.hashed(f"person/{kind}", value)


def person_of(ids: Mapping[str, list[str]]) -> Person:
    """Ids that a caller names, checked. Raises BadRequest."""
    unknown = sorted(set(ids) - set(KINDS))
    if unknown:
        raise BadRequest(f"Persons are not named by {unknown[0][:64]!r}", hint=f"Use one of {', '.join(KINDS)}")
    kept = {kind: tuple(dict.fromkeys(_checked_id(kind, value) for value in ids.get(kind, ()))) for kind in KINDS}
    found = Person({kind: values for kind, values in kept.items() if values})
    if not found.ids:
        raise BadRequest("The person has no id", hint=f"Give at least one of {', '.join(KINDS)}")
    if sum(map(len, found.ids.values())) > MOST_IDS:
        raise BadRequest(f"A person has at most {MOST_IDS} ids", hint="Erase them in several requests")
    return found


def _checked_id(kind: str, value: str) -> str:
    if not value.strip() or "\0" in value or len(value.encode()) > DEFAULT_TEXT_BYTES:
        raise BadRequest(f"The {kind} cannot be used: expected 1 to {DEFAULT_TEXT_BYTES} bytes of text")
    return value.lower() if kind in FOLDED else value
