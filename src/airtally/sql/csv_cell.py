"""A text as a cell of a CSV file, written by the engine."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp


def csv_cell(text: exp.Expr, separator: str, value: Callable[[str], exp.Expr]) -> exp.Expr:
    """In quotes where RFC 4180 wants them, and as it is otherwise; null for null.

    `value` writes a text into the statement, line ends too: as a bound value where engines read literals differently.
    """
    special = (exp.StrPosition(this=text.copy(), substr=value(each)) > 0 for each in (separator, '"', "\r", "\n"))
    doubled = exp.func("replace", text.copy(), value('"'), value('""'))
    return exp.Case().when(exp.or_(*special), exp.func("concat", value('"'), doubled, value('"'))).else_(text.copy())
