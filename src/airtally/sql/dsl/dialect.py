"""DuckDB's dialect as statements of callers are read in: a text that names a member of JSON stays the text that it is.

sqlglot reads such a text as a path and writes it anew, so that `->> 'a.b'` would find the member `b` of `a`. To DuckDB
it is the member called `a.b`, as only what begins with `$` or `/` is a path.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB as SqlglotDuckDB


class CallersDialect(SqlglotDuckDB):
    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        return path
