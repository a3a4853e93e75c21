"""Cells: the smallest intervals that a rollup keeps figures of, each identified by its start.

A rollup of `local` days is cut at midnight UTC, at the account's midnight and where the zone's offset changes, so that
no cell spans two UTC days or two local dates. Local days are sums of cells, while segments stay by UTC day.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from sqlglot import exp

from airtally.kit.time import DAY_US
from airtally.kit.zones import Span, offset_us
from airtally.sql.compiler import micros
from airtally.streams.declaration import Stream
from airtally.streams.rollup import Rollup


def start_of_cell(stream: Stream, rollup: Rollup, spans: list[Span]) -> exp.Expr:
    """The start of an event's cell, in microseconds UTC. `spans` are of the account's zone and cover all events."""
    at_us = micros(stream.time)
    if not rollup.local:
        return _floor(at_us, rollup.grain_us)
    last = _start_in(at_us, spans[-1])
    if len(spans) == 1:
        return last
    case = exp.Case()
    for span in spans[:-1]:
        case = case.when(at_us.copy() < exp.Literal.number(span.end_us), _start_in(at_us, span), copy=False)
    return case.else_(last, copy=False)


def is_cut(at_us: int, rollup: Rollup, zone: ZoneInfo) -> bool:
    """Whether a cell boundary lies at `at_us`, so that no cell reaches across it."""
    if not rollup.local or at_us % DAY_US == 0:
        return at_us % rollup.grain_us == 0
    offset = offset_us(at_us, zone)
    return (at_us + offset) % DAY_US == 0 or offset_us(at_us - 1, zone) != offset


def _start_in(at_us: exp.Expr, span: Span) -> exp.Expr:
    utc = _floor(at_us, DAY_US)
    if span.offset_us == 0:
        return utc
    offset = exp.Literal.number(span.offset_us)
    local = _floor(at_us.copy() + offset, DAY_US) - offset.copy()
    return exp.Greatest(this=utc, expressions=[local, exp.Literal.number(span.start_us)])


def _floor(at_us: exp.Expr, grain_us: int) -> exp.Expr:
    grain = exp.Literal.number(grain_us)
    return exp.Mul(this=exp.paren(exp.IntDiv(this=exp.paren(at_us.copy()), expression=grain)), expression=grain.copy())
