"""Conditions on the rows of a stream. As in SQL, a null meets none of them but `IsNull`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

Comparable = int | float | str | Decimal
"""What a column is compared with; times are microseconds since epoch."""


@dataclass(frozen=True, slots=True)
class Equals:
    column: str
    value: Comparable


@dataclass(frozen=True, slots=True)
class OneOf:
    """No values: no row meets it."""

    column: str
    values: tuple[Comparable, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """`at_least` included, `below` not; None leaves that side open."""

    column: str
    at_least: Comparable | None = None
    below: Comparable | None = None


@dataclass(frozen=True, slots=True)
class Contains:
    """Text that holds `text` somewhere; with `fold_case`, whatever the case of letters."""

    column: str
    text: str
    fold_case: bool = False


@dataclass(frozen=True, slots=True)
class Like:
    """Text that as a whole fits `pattern`: `*` stands for any run of characters, the empty one included."""

    column: str
    pattern: str


@dataclass(frozen=True, slots=True)
class IsNull:
    column: str


@dataclass(frozen=True, slots=True)
class AllOf:
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    filters: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Not:
    filter: Filter


Filter = Equals | OneOf | Between | Contains | Like | IsNull | AllOf | AnyOf | Not

EVERYTHING = AllOf(())


def columns_of(condition: Filter) -> Iterator[str]:
    """Names of the columns that a filter reads, repeats included."""
    if isinstance(condition, AllOf | AnyOf):
        for part in condition.filters:
            yield from columns_of(part)
    elif isinstance(condition, Not):
        yield from columns_of(condition.filter)
    else:
        yield condition.column
