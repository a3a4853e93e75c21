"""The engine's errors as codes: its own text never leaves the process that it is made in.

A code may come with one name out of the text; whoever shows it checks that the caller's statement has that name.
"""

from __future__ import annotations

import re

import duckdb
import pyarrow as pa

_PATTERNS = [
    (re.compile(pattern), code)
    for pattern, code in (
        (r'Referenced column "([^"]+)" (?:not found|was not found)', "no_column"),
        (r'does not have a column named "([^"]+)"', "no_column"),
        (r'column with name "?([^" ]+)"? (?:does not exist|not found)', "no_column"),
        (r'Referenced table "([^"]+)" not found', "no_table"),
        (r"Table with name ([^ ]+) does not exist", "no_table"),
        (r'Ambiguous reference to (?:column|table)(?: name)? "([^"]+)"', "ambiguous"),
        (r'column "([^"]+)" must appear in the GROUP BY', "not_grouped"),
        (r"No function matches the given name and argument types '([^(']+)\(", "wrong_arguments"),
        (r"Could not choose a best candidate function for the function call \"([^(\"]+)\(", "wrong_arguments"),
        (r"Function with name \"?([^ \"]+)\"? (?:does not exist|is not)", "no_function"),
        (r'Cannot extract field "?\'?([^"\' ]+)', "no_column"),
        (r"specifier \".*\" not recognized", "unit"),
        (r"logarithm of|square root of", "domain"),
        (r"must be a constant|needs to be a constant", "constant"),
        (r"in (?:the )?range \[", "fraction"),
        (r"LIMIT/OFFSET cannot be negative", "negative_limit"),
        (r"^Parser Error: frame ", "frame"),
        (r"Can't bucket using zero|step cannot be zero|must be greater than zero", "zero"),
        (r"missing \)|missing \]|invalid perl operator|no argument for repetition|bad repetition", "pattern"),
        (r"VALUES lists must all be the same length", "column_count"),
        (r"Mismatch Type Error", "wrong_types"),
        (r"Cannot compare values of type", "wrong_types"),
        (r"Cannot mix values of type|Cannot combine types|Cannot cast|Unimplemented type for cast", "wrong_types"),
        (r"UNNEST\(\) can only be applied to lists", "unnest"),
        (r"aggregate function calls cannot be nested|cannot contain aggregates|aggregates? .*not allowed", "aggregate"),
        (r"window functions? (?:calls )?(?:cannot|are not)|cannot contain window function", "window"),
        (r"(?:ORDER|GROUP BY) term out of range", "position"),
        (r"Subquery returns \d+ columns|same number of result columns|Mismatch in number of columns", "column_count"),
        (r"More than one row returned by a subquery", "one_row"),
        (r"[Ii]nvalid escape string", "escape"),
        (r"Unknown TimeZone", "time_zone"),
        (r"Malformed JSON", "json"),
        (r"JSON path error|JSON path", "json_path"),
        (r"Could not parse string .* according to format", "format"),
        (r"Failed to parse format|format specifier", "format"),
        (r"[Oo]ut of range|Overflow|overflow", "overflow"),
        (r"Out of Memory|bad allocation|out of memory|bad_alloc|[Mm]alloc|allocat", "memory"),
        (r"thread constructor failed|Resource temporarily unavailable", "memory"),
        (r"max_expression_depth|Maximum recursion depth|recursion depth", "depth"),
    )
]
_CLASSES = (
    (duckdb.OutOfMemoryException, "memory"),
    (duckdb.OutOfRangeException, "overflow"),
    (duckdb.ConversionException, "conversion"),
    (duckdb.ParserException, "syntax"),
    (duckdb.BinderException, "binding"),
    (duckdb.CatalogException, "binding"),
    (duckdb.InvalidInputException, "input"),
    (duckdb.NotImplementedException, "not_implemented"),
)


def code_of(error: BaseException) -> tuple[str, str]:
    """The code of an error and a name in its text, or an empty one."""
    if isinstance(error, MemoryError | pa.ArrowMemoryError):
        return "memory", ""
    known = code_in(str(error).split("\n", maxsplit=1)[0])
    return known or (next((code for kind, code in _CLASSES if isinstance(error, kind)), "unknown"), "")


def code_in(text: str) -> tuple[str, str] | None:
    """The code and name that a line of the engine's text has by its words; None for words that are not known."""
    for pattern, code in _PATTERNS:
        if (found := pattern.search(text)) is not None:
            return code, found[1] if found.groups() else ""
    return None
