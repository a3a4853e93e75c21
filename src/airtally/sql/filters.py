"""Conditions on the rows of a stream. As in SQL, a null meets none of them but `IsNull`.

Nor does it meet their `Not`: a row without a country is neither in `Equals("country", "DE")` nor in the `Not` of that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from airtally.streams.declaration import Type

Comparable = int | float | str | Decimal
"""What a column is compared with; times are microseconds since epoch."""


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the objects in a JSON column, read as text or number.

    Whole numbers and decimals of two places are exact, however large; DOUBLE takes any number as the double it names.
    What is absent, or cannot be read so, is null.
    """

    column: str
    name: str
    type: Type = Type.TEXT

    def __post_init__(self) -> None:
        if self.type not in {Type.TEXT, Type.INT64, Type.DECIMAL, Type.DOUBLE}:
            raise ValueError(f"a member is not read as {self.type}")

    def __str__(self) -> str:
        """As callers write it."""
        return f"{self.column}.{self.name}"


Subject = str | Member
"""What a condition is about: a column by its name, or a member of a JSON column."""


@dataclass(frozen=True, slots=True)
class Equals:
    column: Subject
    value: Comparable


@dataclass(frozen=True, slots=True)
class OneOf:
    """No values: no row meets it."""

    column: Subject
    values: tuple[Comparable, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """`at_least` and `at_most` included, `below` and `above` not; None leaves that side open."""

    column: Subject
    at_least: Comparable | None = None
    below: Comparable | None = None
    at_most: Comparable | None = None
    above: Comparable | None = None


@dataclass(frozen=True, slots=True)
class Contains:
    """Text that holds `text` somewhere; with `fold_case`, whatever the case of letters."""

    column: str
    text: str
    fold_case: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """Text that as a whole fits `pattern`: `*` stands for any run of characters, the empty one included."""

    column: Subject
    pattern: str


@dataclass(frozen=True, slots=True)
class IsNull:
    column: Subject


@dataclass(frozen=True, slots=True)
class Holds:
    """A member that is a list of texts with at least one of `values`; with `exactly`, with these and no other."""

    column: Member
    values: tuple[str, ...]
    exactly: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """A JSON column that is a list of objects, one of which has one of `values` as `member`."""

    column: str
    member: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Begins:
    """Text that begins with one of `prefixes`, all of one length; what follows is from `at_least` to `at_most`."""

    column: Subject
    prefixes: tuple[str, ...]
    at_least: str
    at_most: str


@dataclass(frozen=True, slots=True)
class AllOf:
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    filter: Filter


Filter = Equals | OneOf | Between | Contains | Like | IsNull | Holds | Names | Begins | AllOf | AnyOf | Not

EVERYTHING = AllOf(())


def columns_of(condition: Filter) -> Iterator[str]:
    """Names of the columns that a filter reads; one that is read twice comes twice."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.filters:
            yield from columns_of(part)
    elif isinstance(condition, Not):
        yield from columns_of(condition.filter)
    else:
        yield condition.column.column if isinstance(condition.column, Member) else condition.column
