"""Numbers in JSON texts as numbers in SQL: exact where 38 digits hold them, else as the double that they name.

A number is written as digits, or as the shortest text of a double (`1e20`, `5e-324`). DECIMAL holds the digits; what is
beyond it is a double already, and of doubles the order of their texts is that of their values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa
from sqlglot import exp

from airtally.streams.declaration import Type

_DIGITS = 38
#: What the text of a number looks like; engines would read `1_0`, ` 1`, `nan` and `+1` as numbers too.
_NUMBER = "^-?[0-9]+([.][0-9]+)?([eE][-+]?[0-9]+)?$"
_WHOLE = "^-?[0-9]+$"
#: Engines round or refuse other texts with an exponent as they like: DuckDB makes 0.01 of 5e-324.
_PLAIN = "^-?[0-9]+([.][0-9]+)?$"
_EXPONENT = "^-?[0-9]+([.][0-9]+)?e[0-9]+$"
_CENTS = 2

Bind = Callable[[float | str], exp.Expr]
Listed = Callable[[pa.Array], exp.Query]


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """`exact` is decimal(38, scale), or null; then `rest` is a double, or null for what is no such number."""

    exact: exp.Expr
    rest: exp.Expr
    scale: int

    @property
    def is_null(self) -> exp.Expr:
        return exp.and_(self.exact.is_(exp.null()), self.rest.is_(exp.null()))

    def at_least(self, value: Decimal, bind: Bind) -> exp.Expr:
        return self._either(self.exact >= self._decimal(value, bind), self.rest >= bind(_least(value)))

    def at_most(self, value: Decimal, bind: Bind) -> exp.Expr:
        return self._either(self.exact <= self._decimal(value, bind), self.rest <= bind(-_least(-value)))

    def below(self, value: Decimal, bind: Bind) -> exp.Expr:
        return self._either(self.exact < self._decimal(value, bind), self.rest < bind(_least(value)))

    def above(self, value: Decimal, bind: Bind) -> exp.Expr:
        return self._either(self.exact > self._decimal(value, bind), self.rest > bind(-_least(-value)))

    def one_of(self, values: Sequence[Decimal], bind: Bind) -> exp.Expr:
        exact, doubles = self._forms(values)
        decimals = [exp.cast(bind(format(each, "f")), self._type) for each in exact]
        return self._either(_isin(self.exact, decimals), _isin(self.rest, [bind(each) for each in doubles]))

    def one_of_many(self, values: Sequence[Decimal], listed: Listed) -> exp.Expr:
        """For a list that is too long to be bound one by one."""
        exact, doubles = self._forms(values)
        decimals = listed(pa.array(exact, pa.decimal128(_DIGITS, self.scale)))
        return self._either(
            self.exact.isin(query=decimals), self.rest.isin(query=listed(pa.array(doubles, pa.float64())))
        )

    @property
    def _type(self) -> str:
        return f"decimal({_DIGITS},{self.scale})"

    def _either(self, exact: exp.Expr, rest: exp.Expr) -> exp.Expr:
        """Null only where there is no number."""
        is_exact = exp.not_(self.exact.is_(exp.null()))
        return exp.or_(exp.and_(is_exact, exact), exp.and_(self.exact.is_(exp.null()), rest))

    def _decimal(self, value: Decimal, bind: Bind) -> exp.Expr:
        """What is beyond the type as the last of it."""
        last = Decimal((0, (9,) * _DIGITS, -self.scale))
        return exp.cast(bind(format(max(-last, min(value, last)), "f")), self._type)

    def _forms(self, values: Sequence[Decimal]) -> tuple[list[Decimal], list[float]]:
        """Those that a decimal of the type can equal, and those that a double can."""
        exact = {each for each in values if not each or each.adjusted() < _DIGITS - self.scale}
        doubles = {float(each) for each in values if Decimal(repr(float(each))) == each}
        return sorted(each for each in exact if _fits(each, self.scale)), sorted(doubles)


def json_number(text: exp.Expr, kind: Type) -> JsonNumber:
    """A text read as whole number (`INT64`), decimal of two places (`DECIMAL`), any number (`JSON`), or double (`DOUBLE`)."""
    double = _only(_NUMBER, text, exp.Add(this=try_cast(text, "double"), expression=exp.Literal.number("0.0")))  # no -0
    if kind is Type.DOUBLE:
        return JsonNumber(exp.cast(exp.null(), f"decimal({_DIGITS},0)"), double, 0)
    if kind is not Type.DECIMAL:
        exact = _only(_WHOLE, text, try_cast(text, f"decimal({_DIGITS},0)"))
        return JsonNumber(exact, _is_whole(double) if kind is Type.INT64 else double, 0)
    cents = f"decimal({_DIGITS},{_CENTS})"
    small = exp.Abs(this=double.copy()) < exp.Literal.number(1)
    exact = _only(_PLAIN, text, try_cast(text, cents)).when(small, try_cast(double, cents))
    return JsonNumber(exact, double, _CENTS)


def cents_text(text: exp.Expr) -> exp.Expr:
    """A number of up to 36 digits as text with two places, whichever way it is written; null for anything else."""
    exact = exp.func("coalesce", json_number(text, Type.DECIMAL).exact, try_cast(_spelled_out(text), "decimal(38,2)"))
    return exp.cast(exact, "varchar")


def _spelled_out(text: exp.Expr) -> exp.Expr:
    """`1.5e22` with its zeros, null where a fraction would be left; a cast of the double would not be exact."""
    mantissa, exponent = (
        exp.SplitPart(this=text.copy(), delimiter=_literal("e"), part_index=n) for n in _literals(1, 2)
    )
    fraction = exp.SplitPart(this=mantissa.copy(), delimiter=_literal("."), part_index=exp.Literal.number(2))
    zeros = exp.Sub(this=try_cast(exponent, "int"), expression=exp.Length(this=fraction))
    digits = exp.func("replace", mantissa, _literal("."), _literal(""))
    spelled = exp.func("concat", digits, exp.Repeat(this=_literal("0"), times=zeros.copy()))
    return _only(_EXPONENT, text, exp.Case().when(zeros >= exp.Literal.number(0), spelled))


def decimal_of(value: object) -> Decimal:
    """As it is written: 0.1 is a tenth. Raises ArithmeticError (InvalidOperation) for what is no number."""
    return Decimal(str(value))


def try_cast(value: exp.Expr, kind: str) -> exp.Expr:
    return exp.TryCast(this=value.copy(), to=exp.DataType.build(kind), safe=True)


def _is_whole(double: exp.Expr) -> exp.Expr:
    """Every double from 2^53 on is one; Spark's floor of larger ones is cut to 64 bits."""
    large = exp.Abs(this=double.copy()) >= exp.Literal.number(1 << 53)
    return exp.Case().when(exp.or_(large, double.copy().eq(exp.Floor(this=double.copy()))), double.copy())


def _literal(text: str) -> exp.Expr:
    return exp.Literal.string(text)


def _literals(*numbers: int) -> list[exp.Expr]:
    return [exp.Literal.number(each) for each in numbers]


def _only(pattern: str, text: exp.Expr, value: exp.Expr) -> exp.Case:
    like = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(pattern))
    return exp.Case().when(like, value)


def _isin(left: exp.Expr, values: Sequence[exp.Expr]) -> exp.Expr:
    """Of no values: false, or null where the left side is."""
    return left.isin(*values) if values else left.neq(left.copy())


def _fits(value: Decimal, scale: int) -> bool:
    exponent = value.normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= scale


def _least(value: Decimal) -> float:
    """The least double whose text is not below the value; infinity beyond the last."""
    found = float(value)
    return math.nextafter(found, math.inf) if math.isfinite(found) and Decimal(repr(found)) < value else found
