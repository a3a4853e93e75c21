"""Members of JSON objects and elements of their lists, in the form of each dialect.

In a tree they stand as calls of functions that no engine has; a dialect's own take their place at the very end.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

TEXT = "_MEMBER_TEXT"
TEXTS = "_MEMBER_TEXTS"


def member_text(json: exp.Expr, name: exp.Expr) -> exp.Expr:
    """The text of a JSON object's member: a string's characters, else its JSON. Null where absent or null."""
    return exp.Anonymous(this=TEXT, expressions=[json, name])


def member_texts(json: exp.Expr, name: exp.Expr) -> exp.Expr:
    """The elements of a member that is a list of strings; null where it is none."""
    return exp.Anonymous(this=TEXTS, expressions=[json, name])


def in_dialect(node: exp.Expr, dialect: str) -> exp.Expr:
    """The dialect's form of a node made here; any other as it is."""
    form = _FORMS[dialect].get(node.name) if isinstance(node, exp.Anonymous) else None
    return node if form is None else form(*node.expressions)


def _pointer(name: exp.Expr) -> exp.Expr:
    """A JSON pointer (RFC 6901) takes every name, a JSON path does not."""
    for character, escaped in (("~", "~0"), ("/", "~1")):
        name = exp.func("replace", name, exp.Literal.string(character), exp.Literal.string(escaped))
    return exp.paren(exp.DPipe(this=exp.Literal.string("/"), expression=name))


def _duckdb_text(json: exp.Expr, name: exp.Expr) -> exp.Expr:
    return exp.paren(exp.JSONExtractScalar(this=json, expression=_pointer(name)))


def _duckdb_texts(json: exp.Expr, name: exp.Expr) -> exp.Expr:
    return exp.TryCast(
        this=exp.paren(exp.JSONExtract(this=json, expression=_pointer(name))),
        to=exp.DataType.build("varchar[]", dialect="duckdb"),
    )


def _spark_text(json: exp.Expr, name: exp.Expr) -> exp.Expr:
    members = exp.Anonymous(this="FROM_JSON", expressions=[json, exp.Literal.string("map<string,string>")])
    return exp.Anonymous(this="TRY_ELEMENT_AT", expressions=[members, name])


def _spark_texts(json: exp.Expr, name: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="FROM_JSON", expressions=[_spark_text(json, name), exp.Literal.string("array<string>")])


_FORMS: dict[str, dict[str, Callable[[exp.Expr, exp.Expr], exp.Expr]]] = {
    "duckdb": {TEXT: _duckdb_text, TEXTS: _duckdb_texts},
    "spark": {TEXT: _spark_text, TEXTS: _spark_texts},
}
