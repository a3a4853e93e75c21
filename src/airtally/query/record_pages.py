"""A changelog's records in the order of their keys, page by page, and the versions of one record, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlglot import exp

from airtally.query.changelog import VERSION_TIME, Records, VersionsQuery, current_records, render_versions
from airtally.sql.compiler import Binder, column
from airtally.sql.filters import AllOf, AnyOf, Between, Contains, Equals, Filter, IsNull, Like
from airtally.sql.statement import Statement
from airtally.storage.lake.snapshot import Snapshot
from airtally.streams.declaration import Stream, Type
from airtally.streams.record_key import KeyPart


class Deleted(StrEnum):
    """Which records are meant: those that are there, those that were deleted, or both."""

    NO = "no"
    YES = "yes"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Records whose key begins with the values `begins`; the text after them begins with `prefix`.

    `after`: only those that come after this key. `search`: only those with a text that contains it, whatever the case,
    or whose key it is. Raises ValueError for more values than the key has, and for a prefix of a number or with a `*`.
    """

    stream: Stream
    begins: tuple[KeyPart, ...] = ()
    prefix: str = ""
    after: tuple[KeyPart, ...] | None = None
    deleted: Deleted = Deleted.NO
    search: str = ""

    def __post_init__(self) -> None:
        stream, given = self.stream, len(self.begins)
        if given > len(stream.key):
            raise ValueError(f"the key of {stream.name} has {len(stream.key)} values: {', '.join(stream.key)}")
        if self.prefix and given == len(stream.key):
            raise ValueError("a key that is given whole has nothing left that a prefix could stand for")
        if self.prefix and stream.by_name[stream.key[given]].type is not Type.TEXT:
            raise ValueError(f"{stream.key[given]} is a number, which has no prefix")
        if "*" in self.prefix:
            raise ValueError("a prefix has no `*`: what it stands before is left out")

    @property
    def where(self) -> Filter:
        """The condition that the records meet."""
        stream = self.stream
        parts = [has_value(name, part) for name, part in zip(stream.key, self.begins, strict=False)]
        if self.prefix:
            parts.append(Like(stream.key[len(self.begins)], f"{self.prefix}*"))
        if self.after is not None:
            parts.append(comes_after(stream.key, self.after))
        if self.deleted is Deleted.YES:
            parts.append(Equals("is_deleted", 1))
        if self.search:
            parts.append(_has_text(stream, self.search))
        return AllOf(tuple(parts))


def _has_text(stream: Stream, text: str) -> Filter:
    """Whether a text column contains it, or a number of the key is it."""
    texts = [Contains(each.name, text, fold_case=True) for each in stream.columns if each.type is Type.TEXT]
    numbers = [name for name in stream.key if stream.by_name[name].type is Type.INT64]
    is_number = text.isascii() and text.isdigit() and int(text) < 1 << 63
    return AnyOf((*texts, *(Equals(name, int(text)) for name in numbers if is_number)))


def has_value(name: str, part: KeyPart) -> Filter:
    return IsNull(name) if part is None else Equals(name, part)


def comes_after(names: tuple[str, ...], parts: tuple[KeyPart, ...]) -> Filter:
    """Whether a key comes after another in the order of its columns; nulls come last in each of them."""
    beyond: Filter = AnyOf(())
    for name, part in reversed(list(zip(names, parts, strict=True))):
        if part is None:  # only a null comes with a null or after it
            beyond = AllOf((IsNull(name), beyond))
        else:
            beyond = AnyOf((Between(name, above=part), IsNull(name), AllOf((Equals(name, part), beyond))))
    return beyond


def render_key_page(wanted: KeyRange, snapshot: Snapshot, limit: int) -> Statement:
    """At most `limit` records (`stream.row_schema`) in the order of their keys, as keys are compared."""
    stream, binder = wanted.stream, Binder(wanted.stream)
    records = Records(stream, snapshot.account, wanted.where, deleted=wanted.deleted is not Deleted.NO)
    tree = current_records(binder, records, snapshot, [column(name) for name in stream.row_schema.names])
    ordered = (exp.Ordered(this=binder.column(name), desc=False, nulls_first=False) for name in stream.key)
    return binder.statement(tree.order_by(*ordered).limit(limit))


def render_newest_versions(wanted: VersionsQuery, snapshot: Snapshot, limit: int) -> Statement:
    """At most `limit` of the versions (`stream.row_schema`), the newest first."""
    found = render_versions(wanted, snapshot)
    assert isinstance(found.tree, exp.Select)  # noqa: S101 (as it is made)
    newest = exp.Ordered(this=column(VERSION_TIME), desc=True, nulls_first=False)
    return Statement(found.tree.order_by(newest).limit(limit), found.relations, found.parameters, found.key)
