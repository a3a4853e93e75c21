"""The functions that a statement may call, by DuckDB's names. What is not listed is refused.

Left out are all that read files, settings or catalogues, those whose result can be much longer than what they are given
(repeat, lpad, range, format), and those whose time grows faster than their input (levenshtein). DuckDB's own limits do
not stop these: `len(range(500000000))` took 20 GB under a limit of 200 MB.
"""

from __future__ import annotations

from sqlglot import exp


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


AGGREGATES = _words(
    "count sum min max avg median mode first last any_value arg_max arg_min argmax argmin max_by min_by count_if bool_and bool_or "
    "stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp quantile_cont quantile_disc "
    "percentile_cont percentile_disc approx_count_distinct approx_quantile string_agg listagg group_concat list array_agg"
)
WINDOWS = _words("row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value")
NUMBERS = _words(
    "abs ceil ceiling floor round trunc sign sqrt exp ln log log2 log10 pow power mod greatest least coalesce ifnull "
    "nullif if"
)
TEXTS = _words(
    "lower upper length len strlen trim ltrim rtrim substring substr left right concat concat_ws strpos instr position "
    "contains starts_with ends_with prefix suffix split_part string_split split str_split reverse"
)
TIMES = _words(
    "date_trunc date_part extract date_diff datediff time_bucket year month day hour minute second "
    "quarter week weekofyear dayofweek isodow dayofmonth dayofyear dayname monthname last_day epoch epoch_ms epoch_us "
    "to_timestamp make_date make_timestamp strptime try_strptime now today current_date current_timestamp "
    "timezone"
)
LISTS = _words("unnest list_contains array_contains list_distinct array_length list_sort list_value array_to_string")
JSON = _words(
    "json_extract json_extract_string json_extract_path json_extract_path_text json_array_length json_keys json_valid "
    "json_type"
)
REGULAR = _words("regexp_matches regexp_full_match regexp_extract regexp_replace")

FUNCTIONS = AGGREGATES | WINDOWS | NUMBERS | TEXTS | TIMES | LISTS | JSON | REGULAR

#: A regular expression is written out, and no longer; counted repetitions multiply the engine's work.
MAX_PATTERN = 200

#: The classes that sqlglot reads these functions as. Those that it has no class for are `exp.Anonymous`.
CLASSES = frozenset(
    {
        *(exp.Count, exp.Sum, exp.Min, exp.Max, exp.Avg, exp.Median, exp.Mode, exp.First, exp.Last, exp.AnyValue),
        *(exp.ArgMax, exp.ArgMin, exp.CountIf, exp.LogicalAnd, exp.LogicalOr, exp.GroupConcat, exp.ArrayAgg),
        *(exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop),
        *(exp.Corr, exp.CovarPop, exp.CovarSamp),
        *(exp.PercentileCont, exp.PercentileDisc, exp.ApproxDistinct, exp.ApproxQuantile),
        *(exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead),
        *(exp.FirstValue, exp.LastValue, exp.NthValue),
        *(exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Trunc, exp.Sign, exp.Sqrt, exp.Exp, exp.Ln, exp.Log),
        *(exp.Greatest, exp.Least, exp.Coalesce, exp.Nullif),
        *(exp.Lower, exp.Upper, exp.Length, exp.Trim, exp.Substring, exp.Left, exp.Right, exp.Concat, exp.ConcatWs),
        *(exp.StrPosition, exp.Contains, exp.StartsWith, exp.EndsWith, exp.SplitPart, exp.Split, exp.Reverse),
        *(exp.TimestampTrunc, exp.DateTrunc, exp.Extract, exp.DateDiff, exp.DateBin, exp.Year, exp.Month, exp.Day),
        *(exp.Hour, exp.Minute, exp.Second, exp.Quarter, exp.Week, exp.WeekOfYear, exp.DayOfWeek, exp.DayOfWeekIso),
        *(exp.DayOfMonth, exp.DayOfYear, exp.Dayname, exp.Monthname, exp.LastDay, exp.TimeToUnix, exp.UnixToTime),
        *(exp.DateFromParts, exp.TimestampFromParts, exp.StrToTime),
        *(exp.CurrentDate, exp.CurrentTimestamp),
        *(exp.Explode, exp.ArrayContains, exp.ArrayDistinct, exp.ArraySize, exp.ArraySort, exp.ArrayToString),
        *(exp.JSONExtract, exp.JSONExtractScalar, exp.JSONKeys, exp.JSONType),
        *(exp.RegexpLike, exp.RegexpFullMatch, exp.RegexpExtract, exp.RegexpReplace),
    }
)
#: Those with a pattern as their second argument.
WITH_PATTERN = (exp.RegexpLike, exp.RegexpFullMatch, exp.RegexpExtract, exp.RegexpReplace)

#: How DuckDB's own parser calls those of `FUNCTIONS` that are rendered by another name, and what this program's own
#: queries use beside them.
ENGINE_FUNCTIONS = FUNCTIONS | _words(
    "count_star make_timestamptz translate bit_length epoch_us concat regexp_matches array_extract array_slice row "
    "like_escape not_like_escape ilike_escape not_ilike_escape "
    "to_microseconds to_milliseconds to_seconds to_minutes to_hours to_days to_weeks to_months to_quarters to_years"
)
