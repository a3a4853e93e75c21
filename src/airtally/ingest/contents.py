"""Digests of a file's unpacked content: of the whole, and of its first bytes up to given positions."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from airtally.ingest.decode.json import json_has_lines
from airtally.ingest.decode.text import TextFile

_READ = 1 << 20
_PACKED = (".gz", ".zst")
_LINES = (".ndjson", ".jsonl", ".csv")
_TEXTS = (*_LINES, ".json")


def unpacked_name(path: Path) -> str:
    """The file name without `.gz` or `.zst`, so that `a.csv` and `a.csv.gz` have one."""
    return path.stem if path.suffix.lower() in _PACKED else path.name


def is_packed(path: Path) -> bool:
    return path.suffix.lower() in _PACKED


def is_text(path: Path) -> bool:
    return unpacked_name(path).lower().endswith(_TEXTS)


def has_lines(path: Path) -> bool:
    """Whether the file's rows are lines, so that it can grow. Raises BadRequest if it cannot be unpacked."""
    name = unpacked_name(path).lower()
    return name.endswith(_LINES) or (name.endswith(_TEXTS) and json_has_lines(path))


@dataclass(frozen=True, slots=True)
class Beginning:
    """The bytes of a file before `position`.

    `line_at` is where their last line begins, `line` its number from 1. If they end with a line end, `line_at` is
    `position` and `line` the number of the next line. `blank`: only white space comes after `line_at`.
    """

    position: int
    digest: str
    line_at: int
    line: int
    blank: bool

    @property
    def ends_a_line(self) -> bool:
        return self.line_at == self.position


@dataclass(frozen=True, slots=True)
class Content:
    """A file's content. `followed_by_line_end` are the positions that a line end follows."""

    size: int
    digest: str
    beginnings: dict[int, Beginning]
    followed_by_line_end: frozenset[int]


class Beginnings:
    """Reads a file forward, digesting it up to one position after the other."""

    def __init__(self, path: Path) -> None:
        self._text = TextFile.of(path)
        self._digest = hashlib.sha256()
        self._line_at = 0
        self._blank = True
        self._passed: set[int] = set()
        self.followed_by_line_end: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._text.__exit__(kind, error, at)

    def at(self, position: int) -> Beginning | None:
        """The bytes before `position`, None if the file is shorter. Positions must ascend from call to call."""
        while self._text.position < position:
            if not self._step(min(_READ, position - self._text.position)):
                return None
        self._passed.add(position)
        return self._here()

    def whole(self) -> Beginning:
        while self._step(_READ):
            pass
        return self._here()

    def _step(self, size: int) -> bool:
        before = self._text.position
        piece = self._text.read(size)
        if before in self._passed and piece[:1] in {b"\n", b"\r"}:
            self.followed_by_line_end.add(before)
        self._digest.update(piece)
        last = piece.rfind(b"\n")
        if last >= 0:
            self._line_at, self._blank = before + last + 1, True
        self._blank = self._blank and not piece[last + 1 :].strip()
        return bool(piece)

    def _here(self) -> Beginning:
        return Beginning(self._text.position, self._digest.hexdigest(), self._line_at, self._text.line, self._blank)


def read_content(path: Path, positions: Collection[int] = ()) -> Content:
    """Read a file. Raises BadRequest if it cannot be unpacked, OSError if it cannot be read."""
    if not positions and not is_packed(path):  # a file that was never loaded: lines need not be counted
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Content(file.tell(), digest, {}, frozenset())
    with Beginnings(path) as beginnings:
        found = {position: beginnings.at(position) for position in sorted(set(positions))}
        whole = beginnings.whole()
        known = {position: each for position, each in found.items() if each is not None}
        return Content(whole.position, whole.digest, known, frozenset(beginnings.followed_by_line_end))


def position_of(path: Path, line: int) -> int:
    """The position at which a line, numbered from 1, begins."""
    with TextFile.of(path) as text:
        while text.line < line and text.lines(1, _READ):
            pass
        return text.position


def raw_digest(path: Path) -> str:
    """SHA-256 of the file as it is, packed or not, by which releases before 0.2 identified files."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
