"""Checks every node of a statement's tree against what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from airtally.sql.dsl.functions import CLASSES, FUNCTIONS, MAX_PATTERN, WITH_PATTERN
from airtally.sql.dsl.nodes import KEYWORDS, NAMES, NODES, NUMBER, TYPES, VALUE_NAMES, WITH_TEXT, WORDS
from airtally.sql.dsl.refusal import StatementRefused, place_of, quoted

MAX_NAME = 128
#: Values in one list, and terms of one column list: what the engine plans it keeps in memory.
MAX_ITEMS = 5_000
HINT = "docs/reference/sql-api.md lists what a statement may use."


def check_nodes(text: str, tree: exp.Query) -> None:
    """Raises StatementRefused for the first node that is not allowed, in the order of the tree's levels."""
    for node in tree.walk():
        kind: type = type(node)
        rule = _RULES.get(kind)
        if kind not in NODES and kind not in CLASSES and not isinstance(node, exp.Anonymous):
            raise _node_refused(text, node, f"{_name_of(text, node)} cannot be used")
        if isinstance(node, exp.Func):
            _check_function(text, node)
        _check_arguments(text, node)
        if rule is not None and (wrong := rule(text, node)) is not None:
            raise _node_refused(text, node, wrong)


def _node_refused(text: str, node: exp.Expr, message: str) -> StatementRefused:
    return StatementRefused(message, place_of(text, node), hint=HINT)


def _name_of(text: str, node: exp.Expr) -> str:
    if isinstance(node, exp.Func):
        own = node.name.lower() if isinstance(node, exp.Anonymous) else node.sql_name().lower()
        return NAMES.get(type(node), "") or f"The function {quoted(_written_name(text, node) or own)}"
    return NAMES.get(type(node), node.key.upper())


def _written_name(text: str, node: exp.Expr) -> str:
    """As the caller wrote it; empty where the node is written by signs or clauses."""
    start, end = node.meta.get("start"), node.meta.get("end")
    return "" if start is None or end is None else text[start : end + 1].lower()


def _check_function(text: str, node: exp.Func) -> None:
    """A function is known by the class that it was read as and by the name that it was called by."""
    name = node.name.lower() if isinstance(node, exp.Anonymous) else _written_name(text, node)
    if name and name not in FUNCTIONS and type(node) not in NODES:
        raise _node_refused(text, node, f"The function {quoted(name)} cannot be used")
    if isinstance(node, WITH_PATTERN):
        _check_pattern(text, node)


def _check_pattern(text: str, node: exp.Func) -> None:
    if not _written_name(text, node):  # to the engine `~` means the whole text, to sqlglot a part of it
        raise _node_refused(
            text, node, "The operators ~ and !~ cannot be used: call regexp_matches or regexp_full_match"
        )
    pattern = node.args.get("expression")
    if not isinstance(pattern, exp.Literal) or not pattern.is_string or len(pattern.name) > MAX_PATTERN:
        words = f"A regular expression is a text in quotes of at most {MAX_PATTERN} characters"
        raise _node_refused(text, node, words)
    if "{" in pattern.name:
        raise _node_refused(text, node, "A regular expression has no counted repetition `{`")


def _check_arguments(text: str, node: exp.Expr) -> None:
    """Arguments that are plain text are rendered as they are."""
    for name, value in node.args.items():
        values = value if isinstance(value, list) else [value]
        if len(values) > MAX_ITEMS:
            raise _node_refused(text, node, f"A list has more than {MAX_ITEMS} items")
        for each in values:
            if (
                isinstance(each, str)
                and not (isinstance(node, WITH_TEXT) and name == "this")
                and not KEYWORDS.match(each)
            ):
                raise _node_refused(text, node, f"{quoted(each)} cannot be used")
            if not isinstance(each, str | bool | int | exp.Expr | exp.DType | None):
                raise _node_refused(text, node, f"{type(node).key.upper()} cannot be used in this way")


def _check_table(text: str, node: exp.Table) -> str | None:
    if isinstance(node.this, exp.Func):
        return f"{_name_of(text, node.this)} cannot be used as a table"
    if not isinstance(node.this, exp.Identifier) or node.args.get("db") or node.args.get("catalog"):
        return "A table is one of the account's own, named by one word"
    extra = [name for name, value in node.args.items() if value and name not in {"this", "alias"}]
    return f"A table cannot have {extra[0].upper()}" if extra else None


def _check_select(_: str, node: exp.Select) -> str | None:
    return None if node.expressions else "A SELECT names no columns"


def _check_column(_: str, node: exp.Column) -> str | None:
    if not node.args.get("table") and node.name.lower() in VALUE_NAMES:
        return f"The function {quoted(node.name.lower())} cannot be used"
    if node.args.get("db") or node.args.get("catalog"):
        return "A column is named by itself or by its table and itself"
    return None


def _check_identifier(_: str, node: exp.Identifier) -> str | None:
    if not node.name or len(node.name) > MAX_NAME or not node.name.isprintable():
        return f"A name has 1 to {MAX_NAME} printable characters"
    return None


def _check_type(_: str, node: exp.DataType) -> str | None:
    return None if node.this in TYPES and not node.args.get("kind") else "A value cannot be cast to this type"


def _check_word(_: str, node: exp.Var) -> str | None:
    return None if node.name.lower() in WORDS else f"{quoted(node.name)} is no unit of time"


def _check_literal(_: str, node: exp.Literal) -> str | None:
    return None if node.is_string or NUMBER.match(node.name) else f"{quoted(node.name)} is no number"


def _check_escape(_: str, node: exp.Escape) -> str | None:
    escape = node.expression
    long = isinstance(escape, exp.Literal) and len(escape.name.encode()) > 1
    return "ESCAPE takes one character of ASCII, or an empty text" if long else None


def _check_with(_: str, node: exp.With) -> str | None:
    return "WITH RECURSIVE cannot be used" if node.args.get("recursive") else None


_RULES: dict[type, Callable[[str, Any], str | None]] = {
    exp.Table: _check_table,
    exp.Select: _check_select,
    exp.Column: _check_column,
    exp.Identifier: _check_identifier,
    exp.DataType: _check_type,
    exp.Var: _check_word,
    exp.Literal: _check_literal,
    exp.Escape: _check_escape,
    exp.With: _check_with,
}
