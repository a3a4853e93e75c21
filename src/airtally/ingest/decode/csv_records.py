"""CSV by RFC 4180: the records of a block of whole lines, and which lines begin none."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

#: Bytes read in one go while every record has the header's columns.
SLICE = 64 << 10

_QUOTED = re.compile(rb'"[^"]*+(?:""[^"]*+)*+"')
_BARE = re.compile(rb"[^,\r\n]*+")
_LINE_END = re.compile(rb"\r*+(?:\n|\Z)")

OPEN_QUOTE = "not CSV: a quote is opened and not closed"


class NoRecord(Exception):
    """Why no record begins at a line."""


class Unfinished(Exception):
    """The record goes on after the block."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `end` is where the next line begins; `cells` are None where they are not UTF-8."""

    cells: list[str] | None
    end: int


class Spans:
    """The lines at which some records begin and end, counted from 0."""

    def __init__(self) -> None:
        self.firsts, self.ends = array("i"), array("i")

    def add(self, first: int, end: int) -> None:
        self.firsts.append(first)
        self.ends.append(end)


@dataclass(slots=True)
class Leading:
    """Records at the beginning of some `lines`: the `cells` of the right ones, the `reasons` of the refused ones."""

    cells: list[list[str]] = field(default_factory=list)
    rows: Spans = field(default_factory=Spans)
    reasons: list[str] = field(default_factory=list)
    refused: Spans = field(default_factory=Spans)
    lines: int = 0


def leading_records(block: bytes, begin: int, end: int, width: int, longest: int) -> Leading:
    """The records that some lines begin with, up to the first line that has to be looked at by itself.

    Without a quote every line is a record, so that one of another width than `width` is refused and the next is read.
    """
    found = Leading()
    plain = end - begin <= longest and block.find(b'"', begin, end) < 0
    with suppress(UnicodeDecodeError, csv.Error):
        reader = csv.reader(io.StringIO(block[begin:end].decode(), newline="\n"), strict=True)
        for row in reader:
            if len(row) == width:
                found.cells.append(row)
                found.rows.add(found.lines, reader.line_num)
            elif not plain:
                break
            elif row:
                found.reasons.append(_not_wide(width, len(row)))
                found.refused.add(found.lines, reader.line_num)
            found.lines = reader.line_num
    return found


def read_record(block: bytes, begin: int, width: int, *, longest: int, last: bool) -> Record:
    """The record that begins at `begin`, in `longest` bytes at most.

    Raises NoRecord with the reason where none of `width` cells does, Unfinished where it may yet when the
    block is not the `last`. Of a record over several lines nothing is read beyond the cell that is one too
    many, so a file whose every line opens a quote is read at most `width` + 1 times.
    """
    limit = min(begin + longest, len(block))
    first_line_end = block.find(b"\n", begin) + 1 or len(block)
    cells: list[bytes] = []
    at = begin
    while True:
        cell, at = _cell(block, at, limit, may_go_on=not last and limit == len(block))
        cells.append(cell)
        if block[at : at + 1] != b",":
            break
        at += 1
        if len(cells) >= width and at > first_line_end:
            raise NoRecord(f"expected {width} columns, got more")
    end = _LINE_END.match(block, at)
    if end is None:
        raise NoRecord(_stray(block, at))
    if len(cells) != width:
        raise NoRecord(_not_wide(width, len(cells)))
    return Record(_decode_cells(cells), end.end())


def _not_wide(width: int, got: int) -> str:
    return f"expected {width} columns, got {got}"


def _cell(block: bytes, at: int, limit: int, *, may_go_on: bool) -> tuple[bytes, int]:
    """A cell's content and where it ends."""
    if block[at : at + 1] != b'"':
        bare = _BARE.match(block, at)
        return (bare[0], bare.end()) if bare else (b"", at)
    quoted = _QUOTED.match(block, at, limit)
    if quoted is not None:
        return quoted[0][1:-1].replace(b'""', b'"'), quoted.end()
    if may_go_on:
        raise Unfinished
    raise NoRecord(OPEN_QUOTE)


def _stray(block: bytes, at: int) -> str:
    if block[at : at + 1] == b"\r":
        return "not CSV: a carriage return within the line, outside quotes"
    return "not CSV: ',' expected after '\"'"


def _decode_cells(cells: Sequence[bytes]) -> list[str] | None:
    try:
        return [cell.decode() for cell in cells]
    except UnicodeDecodeError:
        return None
