"""The parts of a statement that are allowed, by sqlglot's classes of nodes. What is not listed is refused."""

from __future__ import annotations

import re

from sqlglot import exp

#: Clauses, sources and names.
_CLAUSES = {
    *(exp.Select, exp.Union, exp.Except, exp.Intersect, exp.Subquery, exp.With, exp.CTE),
    *(exp.From, exp.Join, exp.Lateral, exp.Table, exp.TableAlias, exp.Values, exp.Unnest),
    *(exp.Where, exp.Group, exp.Having, exp.Qualify, exp.Order, exp.Ordered, exp.Limit, exp.Offset, exp.Distinct),
    *(exp.Cube, exp.Rollup, exp.GroupingSets, exp.Window, exp.WindowSpec, exp.Filter, exp.WithinGroup),
    *(exp.IgnoreNulls, exp.RespectNulls),
    *(exp.Column, exp.Identifier, exp.Star, exp.Alias, exp.Aliases, exp.Var),
}
#: Values, operators and conditions.
_EXPRESSIONS = {
    *(exp.Literal, exp.Null, exp.Boolean, exp.Paren, exp.Tuple, exp.Array, exp.Bracket, exp.Slice, exp.Interval),
    *(exp.DataType, exp.DataTypeParam, exp.Cast, exp.TryCast, exp.Case, exp.If),
    *(exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.Pow, exp.DPipe),
    *(exp.EQ, exp.NEQ, exp.LT, exp.LTE, exp.GT, exp.GTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is),
    *(exp.And, exp.Or, exp.Not, exp.In, exp.Between, exp.Exists, exp.Any, exp.All),
    *(exp.Like, exp.ILike, exp.Escape, exp.AtTimeZone),
}
NODES = frozenset(_CLAUSES | _EXPRESSIONS)

#: Types that a value may be cast to; lists of them too.
TYPES = frozenset(
    {
        *(exp.DType.BOOLEAN, exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.INT128),
        *(
            exp.DType.UTINYINT,
            exp.DType.USMALLINT,
            exp.DType.UINT,
            exp.DType.UBIGINT,
            exp.DType.FLOAT,
            exp.DType.DOUBLE,
        ),
        *(exp.DType.DECIMAL, exp.DType.TEXT, exp.DType.VARCHAR, exp.DType.DATE, exp.DType.TIME, exp.DType.TIMESTAMP),
        *(
            exp.DType.TIMESTAMPNTZ,
            exp.DType.TIMESTAMPTZ,
            exp.DType.INTERVAL,
            exp.DType.JSON,
            exp.DType.ARRAY,
            exp.DType.LIST,
        ),
    }
)

_UNITS = (
    "microsecond millisecond second minute hour day week month quarter year decade century millennium epoch dow isodow doy "
    "isoyear era timezone timezone_hour timezone_minute dayofweek dayofyear weekofyear weekday yearweek"
)
#: Words that stand without quotes in what is rendered: units of time, and `ORDER BY ALL`.
WORDS = frozenset({"all", *(f"{unit}{ending}" for unit in _UNITS.split() for ending in ("", "s"))})

#: Where there is no such column DuckDB takes these names, quoted or not, for functions.
VALUE_NAMES = frozenset(
    {
        *("current_catalog", "current_database", "current_role", "current_schema", "current_user", "session_user"),
        *("user", "current_time", "localtime", "localtimestamp", "get_current_timestamp"),
    }
)

#: What an argument that is plain text may hold: keywords such as LEFT, PRECEDING, ASOF.
KEYWORDS = re.compile(r"[A-Za-z_ ]{0,40}\Z")
NUMBER = re.compile(r"[0-9]{0,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,4})?\Z")
#: Classes whose text is checked by a rule of its own.
WITH_TEXT = (exp.Identifier, exp.Literal, exp.Var, exp.Anonymous)

#: How the refused parts that people try are called.
NAMES: dict[type, str] = {
    exp.Pivot: "PIVOT",
    exp.TableSample: "TABLESAMPLE",
    exp.Into: "INTO",
    exp.Lock: "FOR UPDATE",
    exp.Lambda: "A function written with ->",
    exp.Placeholder: "A parameter",
    exp.Parameter: "A parameter",
    exp.PositionalColumn: "A column by its number",
    exp.Columns: "COLUMNS",
    exp.Collate: "COLLATE",
    exp.SimilarTo: "SIMILAR TO",
    exp.Struct: "A struct",
    exp.Comprehension: "A list made by FOR",
    exp.HistoricalData: "AT (VERSION)",
    exp.Version: "AT (VERSION)",
    exp.Dot: "A name of several parts",
    exp.RegexpLike: "A regular expression",
}
