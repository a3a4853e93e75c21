"""Pagination and sorting of listings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Page:
    """`number` counts from 1."""

    number: int
    limit: int

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.limit

    def pages_of(self, total: int) -> int:
        """How many pages `total` rows fill; 0 for none."""
        return -(-total // self.limit)


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a listing. Without a limit: all."""

    offset: int = 0
    limit: int | None = None


ALL = Slice()


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A part of a listing, and how many there are in all of it."""

    items: list[T]
    total: int

    def map(self, change: Callable[[T], U]) -> Listed[U]:
        """The same part, each item changed."""
        return Listed([change(each) for each in self.items], self.total)


@dataclass(frozen=True, slots=True)
class SortKey:
    field: str
    descending: bool = False


def whole_number(text: str | None, *, default: int, largest: int = 2**53) -> int:
    """The text as a number of 1 or more; `default` for anything else, `largest` for a larger one."""
    stripped = (text or "").strip()  # Unicode has more white space than `int` accepts
    if not re.fullmatch(r"\+?[0-9]{1,30}", stripped):
        return default
    number = int(stripped)
    return min(number, largest) if number >= 1 else default


def sort_keys(text: str | None, fields: frozenset[str] | set[str]) -> tuple[SortKey, ...]:
    """Reads `-createdAt,id`. Unknown fields are ignored; of a repeated field the first counts."""
    keys: dict[str, SortKey] = {}
    for part in (text or "").split(","):
        name = part.strip()
        key = SortKey(name.removeprefix("-"), name.startswith("-"))
        if key.field in fields:
            keys.setdefault(key.field, key)
    return tuple(keys.values())
