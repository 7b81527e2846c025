"""The kinds of expectation that a table may declare, and what each means as a Polars expression.

One kind is one entry of `KINDS`: its arguments, the name of its check, its words, and how it is read off a table.
The meaning is Great Expectations' own: values that are absent are not judged (unless presence is what is asked), all
members of a duplicate count, `mostly` is a share of the judged rows. As in pandas, a float that is not a number
counts as absent.

What does not belong here: running anything (see `facts` and `frames`), and Great Expectations itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from pipeline.quality import patterns
from pipeline.schema.declaration import Expectation, Table

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Bounds:
    """An interval that a value must lie in; an absent end is open."""

    minimum: Any = None
    maximum: Any = None
    strict_minimum: bool = False
    strict_maximum: bool = False

    def __str__(self) -> str:
        ends = []
        if self.minimum is not None:
            ends.append(f"{'more than' if self.strict_minimum else 'at least'} {_written(self.minimum)}")
        if self.maximum is not None:
            ends.append(f"{'less than' if self.strict_maximum else 'at most'} {_written(self.maximum)}")
        return " and ".join(ends)

    def hold(self, value: pl.Expr) -> pl.Expr:
        """Whether the value lies within."""
        held = pl.lit(value=True)
        if self.minimum is not None:
            held &= value > self.minimum if self.strict_minimum else value >= self.minimum
        if self.maximum is not None:
            held &= value < self.maximum if self.strict_maximum else value <= self.maximum
        return held


@dataclass(frozen=True)
class RowReading:
    """An expectation of each row: of the `judged` rows, a share of at least `mostly` must not be `violated`.

    Where the one value of `proof` is true, none is violated: it costs less to know than the violations.
    """

    judged: pl.Expr
    violated: pl.Expr
    mostly: float
    proof: pl.Expr | None = None


@dataclass(frozen=True)
class ValueReading:
    """An expectation of the table as a whole: one value within bounds."""

    value: pl.Expr
    bounds: Bounds


@dataclass(frozen=True)
class ColumnsReading:
    """An expectation of the table's shape: these columns, in this order."""

    names: tuple[str, ...]


Reading = RowReading | ValueReading | ColumnsReading


@dataclass(frozen=True)
class Accepts:
    """What a kind may be declared with.

    `takes` says whether it makes sense for a column of a type; `refuse` raises ValueError for arguments that make no
    sense together or for the table.
    """

    required: tuple[str, ...]
    takes: Callable[[pl.DataType], bool]
    refuse: Callable[[Arguments, pl.Schema], None]
    optional: tuple[str, ...] = ("mostly",)


@dataclass(frozen=True)
class Kind:
    """One kind of expectation.

    `columns` are those whose values it looks at; `label` names its check, `phrase` says what it asks; `reading` is how
    it is read off a table of the given schema.
    """

    accepts: Accepts
    columns: Callable[[Arguments], tuple[str, ...]]
    label: Callable[[Arguments], str]
    phrase: Callable[[Arguments], str]
    reading: Callable[[Arguments, pl.Schema], Reading]


def kind_of(expectation: Expectation) -> Kind:
    """The kind of the expectation.

    Raises:
        ValueError: the kind is not one of those that can be checked.
    """
    if expectation.kind not in KINDS:
        raise ValueError(f"{expectation.kind} is not supported: declare one of {', '.join(sorted(KINDS))}")
    return KINDS[expectation.kind]


def require_supported(expectation: Expectation, table: Table) -> None:
    """Refuses an expectation that cannot be checked, or not alike over facts and over frames.

    Raises:
        ValueError: with the declaration and what is wrong with it.
    """
    try:
        _require_supported(expectation, table.schema)
    except ValueError as error:
        arguments = ", ".join(f"{name}={value!r}" for name, value in expectation.arguments.items())
        raise ValueError(f"table {table.path} declares {expectation.kind}({arguments}): {error}") from error


def _require_supported(expectation: Expectation, schema: pl.Schema) -> None:
    kind = kind_of(expectation)
    arguments = expectation.arguments
    if missing := set(kind.accepts.required).difference(arguments):
        raise ValueError(f"it needs the arguments {sorted(missing)}")
    if unknown := set(arguments).difference(kind.accepts.required, kind.accepts.optional):
        raise ValueError(f"the arguments {sorted(unknown)} are not supported")
    for column in kind.columns(arguments):
        if column not in schema:
            raise ValueError(f"the table has no column {column!r}")
        if not kind.accepts.takes(schema[column]):
            raise ValueError(f"it does not apply to {column!r}, which is {schema[column]}")
    if not 0 < _mostly(arguments) <= 1:
        raise ValueError("mostly is a share of rows: more than 0 and at most 1")
    kind.accepts.refuse(arguments, schema)


def is_missing(column: str, schema: pl.Schema) -> pl.Expr:
    """Whether the column's value is absent."""
    absent = pl.col(column).is_null()
    return absent | pl.col(column).is_nan() if schema[column].is_float() else absent


def is_present(column: str, schema: pl.Schema) -> pl.Expr:
    """Whether the column has a value."""
    return ~is_missing(column, schema)


def comparable(column: str, schema: pl.Schema) -> pl.Expr:
    """The column in the form in which values are compared: days and times as instants in UTC, the rest as it is."""
    dtype = schema[column]
    if not dtype.is_temporal():
        return pl.col(column)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return pl.col(column).dt.convert_time_zone("UTC")
    return pl.col(column).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def bounds_of(arguments: Arguments) -> Bounds:
    """The bounds that the arguments state; days and written times become instants in UTC."""
    return Bounds(
        _bound(arguments.get("min_value")),
        _bound(arguments.get("max_value")),
        bool(arguments.get("strict_min")),
        bool(arguments.get("strict_max")),
    )


def _bound(stated: float | str | date | None) -> float | datetime | None:
    moment = datetime.fromisoformat(stated) if isinstance(stated, str) else stated
    if isinstance(moment, datetime):
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    if isinstance(moment, date):
        return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return moment


def _written(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _mostly(arguments: Arguments) -> float:
    return float(arguments.get("mostly", 1))


def _label(subject: str, asked: str, arguments: Arguments) -> str:
    return f"{subject}_{asked}" if _mostly(arguments) == 1 else f"{subject}_mostly_{asked}"


def _each(noun: str, arguments: Arguments) -> str:
    mostly = _mostly(arguments)
    return f"every {noun}" if mostly == 1 else f"at least {mostly * 100:.10g} % of the {noun}s"


def _above(arguments: Arguments) -> str:
    return "at least" if arguments.get("or_equal") else "above"


def _anything(_: pl.DataType) -> bool:
    return True


def _is_flat(dtype: pl.DataType) -> bool:
    return not dtype.is_nested()


def _is_number(dtype: pl.DataType) -> bool:
    return dtype.is_numeric()


def _is_ordered(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in (pl.Date, pl.Datetime)


def _is_text(dtype: pl.DataType) -> bool:
    return dtype == pl.String


def _is_listable(dtype: pl.DataType) -> bool:
    return dtype in (pl.String, pl.Boolean) or dtype.is_integer()


BOUND_ARGUMENTS = ("min_value", "max_value", "strict_min", "strict_max")


def _refuse_nothing(_arguments: Arguments, _schema: pl.Schema) -> None:
    """Names and types of the arguments say enough."""


def _refuse_bounds_that_are_not_numbers(arguments: Arguments, _schema: pl.Schema) -> None:
    _require_bounds(arguments, (int, float))


def _refuse_bounds_unlike_the_column(arguments: Arguments, schema: pl.Schema) -> None:
    _require_bounds(arguments, (datetime,) if schema[arguments["column"]].is_temporal() else (int, float))


def _require_bounds(arguments: Arguments, types: tuple[type, ...]) -> None:
    bounds = bounds_of(arguments)
    stated = [bound for bound in (bounds.minimum, bounds.maximum) if bound is not None]
    if not stated:
        raise ValueError("it needs min_value, max_value or both")
    if not all(isinstance(bound, types) for bound in stated):
        raise ValueError("its bounds are not values of the kind that they bound")
    if stated != sorted(stated):
        raise ValueError("min_value is above max_value")


def _refuse_values_unlike_the_column(arguments: Arguments, schema: pl.Schema) -> None:
    values = arguments["value_set"]
    if not values:
        raise ValueError("value_set is empty")
    python_type = schema[arguments["column"]].to_python()
    if unlike := [value for value in values if type(value) is not python_type]:
        raise ValueError(f"value_set holds {unlike}, but the column's values are {python_type.__name__}")


def _refuse_patterns_read_differently(arguments: Arguments, _schema: pl.Schema) -> None:
    patterns.require_portable(arguments["regex"])


def _refuse_pairs_unlike_each_other(arguments: Arguments, schema: pl.Schema) -> None:
    _judged_pairs(arguments, schema)
    left, right = schema[arguments["column_A"]], schema[arguments["column_B"]]
    # Whole numbers and fractions are refused too: which of 2**53 and 2**53 + 1 is greater would depend on the engine.
    if (left.is_temporal(), left.is_float()) != (right.is_temporal(), right.is_float()):
        raise ValueError(f"its two columns do not hold the same kind of value: one is {left}, the other {right}")


def _refuse_keys_that_are_not_columns(arguments: Arguments, schema: pl.Schema) -> None:
    _judged_keys(arguments, schema)
    if len(set(arguments["column_list"])) < 2:
        raise ValueError("column_list names fewer than two columns")


def _judged_pairs(arguments: Arguments, schema: pl.Schema) -> pl.Expr:
    columns = (arguments["column_A"], arguments["column_B"])
    ways = {
        "both_values_are_missing": _any_present(columns, schema),
        "either_value_is_missing": _all_present(columns, schema),
        "neither": pl.lit(value=True),
    }
    return _chosen(ways, arguments.get("ignore_row_if", "both_values_are_missing"))


def _judged_keys(arguments: Arguments, schema: pl.Schema) -> pl.Expr:
    columns = tuple(arguments["column_list"])
    ways = {
        "all_values_are_missing": _any_present(columns, schema),
        "any_value_is_missing": _all_present(columns, schema),
        "never": pl.lit(value=True),
    }
    return _chosen(ways, arguments.get("ignore_row_if", "all_values_are_missing"))


def _chosen(ways: Mapping[str, pl.Expr], way: str) -> pl.Expr:
    if way not in ways:
        raise ValueError(f"ignore_row_if must be one of {', '.join(ways)}")
    return ways[way]


def _any_present(columns: tuple[str, ...], schema: pl.Schema) -> pl.Expr:
    return pl.any_horizontal(is_present(column, schema) for column in columns)


def _all_present(columns: tuple[str, ...], schema: pl.Schema) -> pl.Expr:
    return pl.all_horizontal(is_present(column, schema) for column in columns)


def _exceeds(arguments: Arguments, schema: pl.Schema) -> pl.Expr:
    """Whether A is greater than B; a side that is absent is greater than nothing and nothing is greater than it."""
    left, right = comparable(arguments["column_A"], schema), comparable(arguments["column_B"], schema)
    compared = left >= right if arguments.get("or_equal") else left > right
    return compared & _all_present((arguments["column_A"], arguments["column_B"]), schema)


def _repeats(columns: tuple[str, ...], schema: pl.Schema) -> pl.Expr:
    """Whether another row has the same values, absent ones being alike."""
    values = [pl.col(column).fill_nan(None) if schema[column].is_float() else pl.col(column) for column in columns]
    # Even a single column is a struct here, because Polars finds its repeats several times as fast.
    return pl.struct(values).is_duplicated()


def _rise(columns: tuple[str, ...]) -> pl.Expr:
    """Whether each row is greater than the one before, as a table is stored by its key: none occurs twice."""
    rises: pl.Expr = pl.lit(value=False)
    for column in reversed(columns):
        before = pl.col(column).shift()
        rises = (pl.col(column) > before) | ((pl.col(column) == before) & rises)
    return rises.fill_null(value=False).sum() + 1 >= pl.len()


def _total(column: str, schema: pl.Schema) -> pl.Expr:
    """The sum of the values that are present; whole numbers are added up in 128 bits and cannot overflow."""
    values = pl.col(column).filter(is_present(column, schema))
    return values.cast(pl.Int128).sum() if schema[column].is_integer() else values.sum()


def _present_values(arguments: Arguments, schema: pl.Schema) -> pl.Expr:
    return is_present(arguments["column"], schema)


def _all_rows(_arguments: Arguments, _schema: pl.Schema) -> pl.Expr:
    return pl.lit(value=True)


def _of_each_value(
    *,
    asked: str,
    phrase: Callable[[Arguments], str],
    accepts: Accepts,
    violated: Callable[[Arguments, pl.Schema], pl.Expr],
    judged: Callable[[Arguments, pl.Schema], pl.Expr] = _present_values,
    proof: Callable[[Arguments], pl.Expr | None] = lambda _: None,
) -> Kind:
    """A kind that judges the values of one column, each by itself; by default those that are present."""
    return Kind(
        accepts,
        columns=lambda arguments: (arguments["column"],),
        label=lambda arguments: _label(arguments["column"], asked, arguments),
        phrase=lambda arguments: f"{_each('value', arguments)} of {arguments['column']} must {phrase(arguments)}",
        reading=lambda arguments, schema: RowReading(
            judged(arguments, schema), violated(arguments, schema), _mostly(arguments), proof(arguments)
        ),
    )


KINDS: Mapping[str, Kind] = {
    "ExpectTableColumnsToMatchOrderedList": Kind(
        Accepts(("column_list",), _anything, _refuse_nothing, optional=()),
        columns=lambda _: (),
        label=lambda _: "columns_in_order",
        phrase=lambda arguments: f"the columns must be {', '.join(arguments['column_list'])}, in this order",
        reading=lambda arguments, _: ColumnsReading(tuple(arguments["column_list"])),
    ),
    "ExpectTableRowCountToBeBetween": Kind(
        Accepts((), _anything, _refuse_bounds_that_are_not_numbers, optional=BOUND_ARGUMENTS),
        columns=lambda _: (),
        label=lambda _: "row_count_between",
        phrase=lambda arguments: f"the number of rows must be {bounds_of(arguments)}",
        reading=lambda arguments, _: ValueReading(pl.len(), bounds_of(arguments)),
    ),
    "ExpectColumnSumToBeBetween": Kind(
        Accepts(("column",), _is_number, _refuse_bounds_that_are_not_numbers, optional=BOUND_ARGUMENTS),
        columns=lambda arguments: (arguments["column"],),
        label=lambda arguments: f"{arguments['column']}_sum_between",
        phrase=lambda arguments: f"the sum of {arguments['column']} must be {bounds_of(arguments)}",
        reading=lambda arguments, schema: ValueReading(_total(arguments["column"], schema), bounds_of(arguments)),
    ),
    "ExpectColumnValuesToNotBeNull": _of_each_value(
        asked="not_null",
        phrase=lambda _: "be present",
        accepts=Accepts(("column",), _anything, _refuse_nothing),
        violated=lambda arguments, schema: is_missing(arguments["column"], schema),
        judged=_all_rows,
    ),
    "ExpectColumnValuesToBeNull": _of_each_value(
        asked="null",
        phrase=lambda _: "be absent",
        accepts=Accepts(("column",), _anything, _refuse_nothing),
        violated=_present_values,
        judged=_all_rows,
    ),
    "ExpectColumnValuesToBeUnique": _of_each_value(
        asked="unique",
        phrase=lambda _: "occur once",
        accepts=Accepts(("column",), _is_flat, _refuse_nothing),
        violated=lambda arguments, schema: _repeats((arguments["column"],), schema),
        proof=lambda arguments: _rise((arguments["column"],)),
    ),
    "ExpectColumnValuesToBeBetween": _of_each_value(
        asked="between",
        phrase=lambda arguments: f"be {bounds_of(arguments)}",
        accepts=Accepts(("column",), _is_ordered, _refuse_bounds_unlike_the_column, ("mostly", *BOUND_ARGUMENTS)),
        violated=lambda arguments, schema: ~bounds_of(arguments).hold(comparable(arguments["column"], schema)),
    ),
    "ExpectColumnValuesToBeInSet": _of_each_value(
        asked="in_set",
        phrase=lambda arguments: f"be one of {', '.join(str(value) for value in arguments['value_set'])}",
        accepts=Accepts(("column", "value_set"), _is_listable, _refuse_values_unlike_the_column),
        violated=lambda arguments, _: ~pl.col(arguments["column"]).is_in(list(arguments["value_set"])),
    ),
    "ExpectColumnValuesToMatchRegex": _of_each_value(
        asked="matches",
        phrase=lambda arguments: f"match {arguments['regex']}",
        accepts=Accepts(("column", "regex"), _is_text, _refuse_patterns_read_differently),
        violated=lambda arguments, _: (
            ~pl.col(arguments["column"]).str.contains(patterns.for_polars(arguments["regex"]))
        ),
    ),
    "ExpectColumnValueLengthsToBeBetween": _of_each_value(
        asked="length_between",
        phrase=lambda arguments: f"have a length of {bounds_of(arguments)} characters",
        accepts=Accepts(("column",), _is_text, _refuse_bounds_that_are_not_numbers, ("mostly", *BOUND_ARGUMENTS)),
        violated=lambda arguments, _: ~bounds_of(arguments).hold(pl.col(arguments["column"]).str.len_chars()),
    ),
    "ExpectColumnPairValuesAToBeGreaterThanB": Kind(
        Accepts(
            ("column_A", "column_B"),
            _is_ordered,
            _refuse_pairs_unlike_each_other,
            ("mostly", "ignore_row_if", "or_equal"),
        ),
        columns=lambda arguments: (arguments["column_A"], arguments["column_B"]),
        label=lambda arguments: _label(
            arguments["column_A"], f"{_above(arguments)}_{arguments['column_B']}".replace(" ", "_"), arguments
        ),
        phrase=lambda arguments: (
            f"{_each('row', arguments)} must have {arguments['column_A']} {_above(arguments)} {arguments['column_B']}"
        ),
        reading=lambda arguments, schema: RowReading(
            _judged_pairs(arguments, schema), ~_exceeds(arguments, schema), _mostly(arguments)
        ),
    ),
    "ExpectCompoundColumnsToBeUnique": Kind(
        Accepts(("column_list",), _is_flat, _refuse_keys_that_are_not_columns, ("mostly", "ignore_row_if")),
        columns=lambda arguments: tuple(arguments["column_list"]),
        label=lambda arguments: _label("_".join(arguments["column_list"]), "unique", arguments),
        phrase=lambda arguments: (
            f"{_each('combination', arguments)} of {', '.join(arguments['column_list'])} must occur once"
        ),
        reading=lambda arguments, schema: RowReading(
            _judged_keys(arguments, schema),
            _repeats(tuple(arguments["column_list"]), schema),
            _mostly(arguments),
            _rise(tuple(arguments["column_list"])),
        ),
    ),
}
