"""A statement's text as one tree, within limits of length and depth."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from airtally.sql.dsl.dialect import CallersDialect
from airtally.sql.dsl.refusal import SqlPlace, StatementRefused, place_of, quoted

MAX_CHARACTERS = 100_000
MAX_TOKENS = 12_000
#: Of brackets in one another; also the levels that the tree may have, as checks and text are made by recursion.
MAX_DEPTH = 40
MAX_LEVELS = 150
#: Terms that are joined by one operator without brackets: by AND or OR, by another, and by `->` or `->>`, for each of
#: which the engine doubles its work.
MAX_CONDITIONS, MAX_TERMS, MAX_MEMBERS = 1_000, 200, 10

_OPENING = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSING = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}
_BEGINNINGS = {TokenType.SELECT, TokenType.WITH, TokenType.FROM, TokenType.L_PAREN}
_START = SqlPlace(1, 1)


def read_statement(text: str) -> exp.Query:
    """Raises StatementRefused for what is no single query. Nothing in the tree has been checked yet."""
    if len(text) > MAX_CHARACTERS:
        raise StatementRefused(f"The statement has more than {MAX_CHARACTERS} characters", _START)
    if "\0" in text:
        raise StatementRefused(
            "The statement has a character that SQL does not have", SqlPlace.at(text, text.index("\0"))
        )
    tokens = _tokens(text)
    _check_beginning(text, tokens)
    _check_single(text, tokens)
    _check_depth(text, tokens)
    tree = _parsed(text)
    if not isinstance(tree, exp.Query):
        raise StatementRefused("Only one SELECT can be run", _START)
    return tree


def _tokens(text: str) -> list[Token]:
    try:
        tokens = sqlglot.tokenize(text, read="duckdb")
    except (TokenError, ValueError, RecursionError):
        raise StatementRefused("A text, a name or a comment in the statement does not end", _START) from None
    if len(tokens) > MAX_TOKENS:
        place = SqlPlace.at(text, tokens[MAX_TOKENS].start)
        raise StatementRefused(f"The statement has more than {MAX_TOKENS} words and signs", place)
    return tokens


def _check_beginning(text: str, tokens: list[Token]) -> None:
    if not tokens:
        raise StatementRefused("The statement is empty", _START)
    if tokens[0].token_type not in _BEGINNINGS:
        word = tokens[0].text.split(maxsplit=1)[0] if tokens[0].text.strip() else tokens[0].text
        raise StatementRefused(
            f"Only one SELECT can be run, and this begins with {quoted(word)}", SqlPlace.at(text, tokens[0].start)
        )


def _check_single(text: str, tokens: list[Token]) -> None:
    for position, token in enumerate(tokens):
        if token.token_type is TokenType.SEMICOLON and position < len(tokens) - 1:
            raise StatementRefused("Only one statement can be run", SqlPlace.at(text, tokens[position + 1].start))


def _check_depth(text: str, tokens: list[Token]) -> None:
    depth = 0
    for token in tokens:
        depth += (token.token_type in _OPENING) - (token.token_type in _CLOSING)
        if depth > MAX_DEPTH:
            raise StatementRefused(f"Brackets are nested more than {MAX_DEPTH} deep", SqlPlace.at(text, token.start))


def _parsed(text: str) -> exp.Expr | None:
    try:
        trees = sqlglot.parse(text, read=CallersDialect)
        if trees[0] is not None:
            _check_levels(text, trees[0])
    except ParseError as error:
        raise _unreadable(error) from None
    except RecursionError:
        raise _nested() from None
    except (ValueError, TypeError, AttributeError, KeyError, IndexError):  # what the parser meets in odd input
        raise StatementRefused("The statement cannot be read as a SELECT", _START) from None
    return trees[0]


def _check_levels(text: str, tree: exp.Expr) -> None:
    """Raises StatementRefused."""
    levels, row = 0, [tree]
    while row:
        if levels == MAX_LEVELS:
            raise _nested()
        levels, row = levels + 1, [child for node in row for child in _one_level_below(text, node)]


def _one_level_below(text: str, node: exp.Expr) -> list[exp.Expr]:
    """The terms of a chain are of one level, as the parser needs no recursion for them. Raises StatementRefused."""
    if not isinstance(node, exp.Binary):
        return list(node.iter_expressions())
    found: list[exp.Expr] = []
    link, terms, most = node, 2, _most_terms(node)
    while type(link.args.get("this")) is type(node):
        terms += 1
        if terms > most:
            words = f"More than {most} terms are joined by one operator"
            raise StatementRefused(words, place_of(text, node.args["expression"]))
        found += (each for each in link.iter_expressions() if each is not link.this)
        link = link.this
    return [*found, *link.iter_expressions()]


def _most_terms(node: exp.Binary) -> int:
    if isinstance(node, exp.Connector):
        return MAX_CONDITIONS
    return MAX_MEMBERS if isinstance(node, exp.JSONExtract | exp.JSONExtractScalar) else MAX_TERMS


def _nested() -> StatementRefused:
    return StatementRefused(f"The statement is nested more than {MAX_LEVELS} levels deep", _START)


def _unreadable(error: ParseError) -> StatementRefused:
    found = error.errors[0] if error.errors else {}
    line, end, near = int(found.get("line") or 1), int(found.get("col") or 1), str(found.get("highlight") or "")
    place = SqlPlace(line, max(1, end - len(near) + 1))
    return StatementRefused(f"The statement cannot be read as a SELECT near {quoted(near)}", place)
