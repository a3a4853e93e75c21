"""Every allowed function in a statement that the engine runs, and every other function of the engine refused."""

from __future__ import annotations

import duckdb
import pytest

from airtally.engine.confined.reread import refuse_unlisted
from airtally.sql.dsl.functions import FUNCTIONS
from airtally.sql.dsl.refusal import StatementRefused
from airtally.sql.dsl.statement import checked

SOURCE = """
(SELECT 1 AS i, 2.5::DOUBLE AS d, 'a b' AS t, true AS b, [3, 1, 2] AS l, '{"a": [1, 2], "b": "x"}' AS j,
 TIMESTAMPTZ '2026-10-05 10:00:00+00' AS ts, DATE '2026-10-05' AS day)
"""
#: How a function is called; `{f}` is its name. The others take one number.
CALLS = {
    "count": "{f}(*), {f}(i), {f}(DISTINCT t), {f}(*) FILTER (WHERE b)",
    **dict.fromkeys(("any_value", "first", "last", "mode", "list", "array_agg"), "{f}(t), {f}(i)"),
    **dict.fromkeys(("arg_max", "arg_min", "argmax", "argmin", "max_by", "min_by"), "{f}(t, i)"),
    **dict.fromkeys(("count_if", "bool_and", "bool_or"), "{f}(b)"),
    **dict.fromkeys(("corr", "covar_pop", "covar_samp"), "{f}(d, i)"),
    **dict.fromkeys(("quantile_cont", "quantile_disc", "approx_quantile"), "{f}(d, 0.5)"),
    **dict.fromkeys(("percentile_cont", "percentile_disc"), "{f}(0.5) WITHIN GROUP (ORDER BY d)"),
    **dict.fromkeys(("string_agg", "listagg", "group_concat"), "{f}(t, ','), {f}(t, ',' ORDER BY i)"),
    **dict.fromkeys(("row_number", "rank", "dense_rank", "percent_rank", "cume_dist"), "{f}() OVER (ORDER BY i)"),
    "ntile": "{f}(2) OVER (ORDER BY i)",
    **dict.fromkeys(("lag", "lead"), "{f}(i) OVER (ORDER BY i), {f}(i, 2, 0) OVER (PARTITION BY t ORDER BY i)"),
    **dict.fromkeys(("first_value", "last_value"), "{f}(i) OVER (ORDER BY i)"),
    "nth_value": "{f}(i, 1) OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)",
    "round": "{f}(d), {f}(d, 1)",
    "log": "{f}(d), {f}(2, d)",
    **dict.fromkeys(("pow", "power", "mod", "greatest", "least", "coalesce", "ifnull", "nullif"), "{f}(i, 2)"),
    "if": "{f}(b, i, 2)",
    **dict.fromkeys(("lower", "upper", "length", "len", "strlen", "reverse", "trim", "ltrim", "rtrim"), "{f}(t)"),
    **dict.fromkeys(("substring", "substr"), "{f}(t, 1), {f}(t, 1, 2)"),
    **dict.fromkeys(("left", "right"), "{f}(t, 1)"),
    "concat": "{f}(t, 'x', i)",
    "concat_ws": "{f}('-', t, 'x')",
    **dict.fromkeys(("strpos", "instr", "contains", "starts_with", "ends_with", "prefix", "suffix"), "{f}(t, 'a')"),
    "position": "{f}('a' IN t)",
    "split_part": "{f}(t, ' ', 1)",
    **dict.fromkeys(("string_split", "split", "str_split"), "{f}(t, ' ')"),
    "date_trunc": "{f}('day', ts), {f}('month', day), {f}('minute', ts)",
    "date_part": "{f}('hour', ts), {f}('isodow', day)",
    "extract": "{f}(HOUR FROM ts), {f}(isodow FROM day), {f}(epoch FROM ts)",
    **dict.fromkeys(("date_diff", "datediff"), "{f}('day', day, day), {f}('minute', ts, ts)"),
    "time_bucket": "{f}(INTERVAL '15 minutes', ts), {f}(INTERVAL 1 HOUR, ts)",
    **dict.fromkeys(("hour", "minute", "second", "epoch", "epoch_ms", "epoch_us"), "{f}(ts)"),
    **dict.fromkeys(
        ("year", "month", "day", "quarter", "week", "weekofyear", "dayofweek", "isodow"), "{f}(ts), {f}(day)"
    ),
    **dict.fromkeys(("dayofmonth", "dayofyear", "dayname", "monthname", "last_day"), "{f}(day)"),
    "make_date": "{f}(2026, 10, i)",
    "make_timestamp": "{f}(2026, 10, i, 1, 2, 3.5), {f}(1)",
    **dict.fromkeys(("strptime", "try_strptime"), "{f}('2026-10-05', '%Y-%m-%d')"),
    **dict.fromkeys(("now", "today"), "{f}()"),
    **dict.fromkeys(("current_date", "current_timestamp"), "{f}"),
    "timezone": "{f}('Asia/Kathmandu', ts)",
    "unnest": "{f}(l)",
    **dict.fromkeys(("list_contains", "array_contains"), "{f}(l, 1)"),
    **dict.fromkeys(("list_distinct", "array_length", "list_sort"), "{f}(l)"),
    "list_value": "{f}(1, 2)",
    "array_to_string": "{f}(l, ',')",
    **dict.fromkeys(("json_extract", "json_extract_string"), "{f}(j, '$.a[0]'), {f}(j, '$.b')"),
    **dict.fromkeys(("json_extract_path", "json_extract_path_text"), "{f}(j, '$.b')"),
    **dict.fromkeys(("json_array_length", "json_keys", "json_type"), "{f}(j), {f}(j, '$.a')"),
    "json_valid": "{f}(j)",
    **dict.fromkeys(("regexp_matches", "regexp_full_match"), "{f}(t, 'a.*')"),
    "regexp_extract": "{f}(t, '(a)', 1)",
    "regexp_replace": "{f}(t, 'a', 'b'), {f}(t, 'a', 'b', 'g')",
}
#: What is written without a function's name.
OPERATORS = (
    "i + 1, i - 1, i * 2, i / 2, i // 2, i % 2, i ** 2, -i, t || 'x', i BETWEEN 1 AND 2, i NOT IN (1, 2)",
    "i = 1 AND NOT b OR i <> 2, i IS NULL, t IS NOT NULL, i IS DISTINCT FROM 2, b IS TRUE",
    "t LIKE 'a%', t NOT LIKE '%!%' ESCAPE '!', t ILIKE 'A%'",
    "j -> 'a', j ->> '$.b', j -> 'a' ->> 0, l[1], l[1:2]",
    "CASE WHEN b THEN i ELSE 0 END, CASE i WHEN 1 THEN 'x' END, CAST(i AS VARCHAR), TRY_CAST(t AS INT), i::DECIMAL(10,2)",
    "ts + INTERVAL 1 DAY, day - INTERVAL '2 months', ts AT TIME ZONE 'UTC', DATE '2026-01-01', [i, 2], (i, 2) = (1, 2)",
    "ts - INTERVAL 3 HOUR, ts + INTERVAL 5 MINUTE, ts + INTERVAL 7 SECOND, day + INTERVAL 1 WEEK, day + INTERVAL 1 YEAR",
    "EXISTS (SELECT 1), i IN (SELECT 1), i = ANY (SELECT 1), (SELECT max(i) FROM source)",
)
CALLED = [
    *((name, CALLS.get(name, "{f}(d)").format(f=name)) for name in sorted(FUNCTIONS)),
    *((f"operators {number}", each) for number, each in enumerate(OPERATORS)),
]


@pytest.fixture(scope="module")
def engine():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE source AS SELECT * FROM {SOURCE}")
    yield connection
    connection.close()


@pytest.mark.parametrize(("name", "columns"), CALLED, ids=[name for name, _ in CALLED])
def test_what_is_allowed_runs_and_gives_what_the_engine_gives_for_the_callers_text(engine, name, columns):
    statement = f"SELECT {columns} FROM source"
    text = checked(statement, {"source"}).rendered({}, 1_790_000_000_000_000)
    refuse_unlisted(engine, text, {"source"})
    found = engine.execute(text).to_arrow_table()
    if name not in {"now", "today", "current_date", "current_timestamp"}:
        expected = engine.execute(statement).to_arrow_table()
        assert found.schema.types == expected.schema.types
        assert repr(found.to_pydict().values()) == repr(expected.to_pydict().values())


def engine_functions():
    with duckdb.connect() as connection:
        found = connection.execute("SELECT DISTINCT function_name, function_type FROM duckdb_functions()").fetchall()
    return sorted({(name, kind) for name, kind in found if name.isidentifier() and name.lower() not in FUNCTIONS})


REFUSED = engine_functions()


@pytest.mark.parametrize("form", ["SELECT {f}(1)", "SELECT * FROM {f}('source')", "SELECT {f}() FROM source"])
def test_every_other_function_of_the_engine_is_refused(form):
    """In whatever place; a few are words of the language, and are refused as what they then are."""
    passed, told = [], 0
    for name, _ in REFUSED:
        try:
            checked(form.format(f=name), {"source"})
        except StatementRefused as refused:
            told += "line 1, column" in refused.message
        else:
            passed.append(name)
    assert passed == []
    assert told == len(REFUSED)
    assert len(REFUSED) > 400


def test_the_refused_functions_are_those_that_touch_files_settings_and_catalogues():
    names = {name for name, _ in REFUSED}
    assert names >= {
        *(
            "read_csv",
            "read_parquet",
            "read_text",
            "read_blob",
            "glob",
            "parquet_metadata",
            "read_json_auto",
            "sniff_csv",
        ),
        *("current_setting", "duckdb_settings", "duckdb_secrets", "duckdb_views", "pragma_version", "getvariable"),
        *("query", "query_table", "json_execute_serialized_sql", "repeat", "range", "generate_series", "lpad"),
        *("pg_typeof", "current_database", "version", "duckdb_extensions", "which_secret", "read_ndjson_objects"),
    }
