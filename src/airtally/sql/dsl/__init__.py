"""Statements that callers write: one SELECT of DuckDB's dialect, read, checked against what is allowed, and rebuilt.

Everything is refused that is not listed in `nodes.py` and `functions.py`. The engine gets the text of the checked tree,
never the caller's.
"""
