"""What one question may ask for. docs/reference/query-api.md has these as a table, and a test compares them."""

from __future__ import annotations

#: Rows of an answer, and so of a page.
MAX_ROWS = 100_000
MAX_METRICS, MAX_DIMENSIONS = 100, 20
#: Conditions of a filter, and how deep they may be nested.
MAX_CONDITIONS, MAX_DEPTH = 500, 20
#: Characters of a pattern for `like`.
MAX_PATTERN = 256
#: Characters of the name of a metric, or of a member of a JSON column.
MAX_NAME = 256
#: A list of 1 MiB of values has quotes and commas besides.
MAX_BODY = 4 << 20
#: Rows in the files that an answer is made of, up to which distinct counts are exact: counting 5 million distinct
#: values takes 4 s and some 500 MB.
EXACT_DISTINCT_ROWS = 5_000_000
