"""The published tables in SQL, the same for DuckDB and PostgreSQL: types, keys, references, flat views, comments."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import polars as pl

from pipeline.errors import CensusError
from pipeline.schema.declaration import Column
from pipeline.schema.published import PublishedTable


class TypeNames(NamedTuple):
    """What a column's type is called in DuckDB, PostgreSQL, Frictionless and Croissant metadata, and by a reader."""

    duckdb: str
    postgres: str
    frictionless: str
    croissant: str
    word: str


_NAMES = {
    "String": TypeNames("VARCHAR", "text", "string", "sc:Text", "text"),
    "Int32": TypeNames("INTEGER", "integer", "integer", "cr:Int32", "integer"),
    "Int64": TypeNames("BIGINT", "bigint", "integer", "cr:Int64", "integer"),
    "Float64": TypeNames("DOUBLE", "double precision", "number", "cr:Float64", "number"),
    "Boolean": TypeNames("BOOLEAN", "boolean", "boolean", "sc:Boolean", "yes or no"),
    "Date": TypeNames("DATE", "date", "date", "sc:Date", "date"),
    "Datetime(time_unit='us', time_zone='UTC')": TypeNames(
        "TIMESTAMP WITH TIME ZONE", "timestamp with time zone", "datetime", "sc:DateTime", "time"
    ),
}


def type_names(column: Column) -> TypeNames:
    """The names of the column's type.

    Raises:
        CensusError: it is none that is published.
    """
    if isinstance(column.type, pl.Decimal):
        digits = f"({column.type.precision},{column.type.scale})"
        return TypeNames(f"DECIMAL{digits}", f"numeric{digits}", "number", "sc:Float", "number")
    if str(column.type) not in _NAMES:
        raise CensusError(f"column {column.name} has type {column.type}, which is not published: add it to {__name__}")
    return _NAMES[str(column.type)]


@dataclass(frozen=True)
class Reference:
    """A column that refers to a published table: `on` pairs its columns with those of the target's key."""

    column: str
    target: PublishedTable
    on: tuple[tuple[str, str], ...]
    dimension: str | None = None
    """Only rows of this dimension refer."""

    def __str__(self) -> str:
        condition = f" where dimension is {self.dimension}" if self.dimension else ""
        return f"{self.target.name}.{self.on[0][1]}{condition}"

    @property
    def alias(self) -> str:
        """What the target is called beside the table `t` that refers to it."""
        return f"of_{self.column}" + (f"_{self.dimension}" if self.dimension else "")

    @property
    def condition(self) -> str:
        """Whether a row of `t` and one of the target belong together."""
        equal = [f"{self.alias}.{identifier(target)} = t.{identifier(column)}" for column, target in self.on]
        return " and ".join([*equal, *([f"t.dimension = '{self.dimension}'"] if self.dimension else [])])


def references_of(made: PublishedTable, published: Mapping[str, PublishedTable]) -> list[Reference]:
    """The references of a published table, those by the most columns first, as they say the most of a row.

    The other columns of the target's key are matched by name.
    """
    found = []
    for column, targets in made.references.items():
        by_dimension = [(None, targets)] if isinstance(targets, str) else targets.items()
        for dimension, name in by_dimension:
            *further, explained = published[name].key
            on = ((column, explained), *((key, key) for key in further if key in made.table.schema))
            found.append(Reference(column, published[name], on, dimension))
    return sorted(found, key=lambda reference: -len(reference.on))


def refers_to(made: PublishedTable, published: Mapping[str, PublishedTable]) -> dict[str, str]:
    """By column: what explains its values, in words."""
    found: dict[str, str] = {}
    for reference in references_of(made, published):
        found[reference.column] = ", ".join(filter(None, (found.get(reference.column), str(reference))))
    return found


def table_comment(made: PublishedTable) -> str:
    """Grain, meaning, key and warnings in one text."""
    table = made.table
    return " ".join([f"One row per {made.grain}.", table.description, f"Key: {', '.join(made.key)}.", *table.warnings])


def column_comments(made: PublishedTable, published: Mapping[str, PublishedTable]) -> dict[str, str]:
    """The comment of each column of a published table: meaning, unit and what it refers to."""
    said = {name: f" Refers to {target}." for name, target in refers_to(made, published).items()}
    return {column.name: column.meaning_and_unit + said.get(column.name, "") for column in made.table.columns}


@dataclass(frozen=True)
class View:
    """A view: its query over the published tables and what its columns mean."""

    name: str
    sql: str
    comment: str
    column_comments: Mapping[str, str]


def views_of(published: Mapping[str, PublishedTable]) -> list[View]:
    """The views of the tables with a row for each month and something; dimensions are left out.

    Each has a flat one, with names in place of codes, and one of its latest month; entry tables have names already.
    """
    views = []
    for name, made in published.items():
        if "month" not in made.references or name.startswith(("_", "dim_")):
            continue
        if made.entry_of:
            views.append(_latest(View(name, "", table_comment(made), column_comments(made, published))))
        else:
            flat = _flat(made, references_of(made, published))
            views += [flat, _latest(flat)]
    return views


def _flat(made: PublishedTable, references: list[Reference]) -> View:
    selected: dict[str, tuple[str, str]] = {}  # by name: what is selected for it, and what it means
    for column in made.table.columns:
        labels = [
            f"{one.alias}.{one.target.label}" for one in references if one.column == column.name and one.target.label
        ]
        coded, value = f"{column.name}_code" if labels else column.name, f't."{column.name}"'
        if labels:
            selected[column.name] = (f"coalesce({', '.join(labels)}, {value})", f"{column.meaning} By name.")
        selected[coded] = (value, column.meaning_and_unit)
    joins = []
    for one in references:
        shown = {name: there for name, there in one.target.shown.items() if name not in selected}
        for name, there in shown.items():
            selected[name] = (f"{one.alias}.{there}", one.target.table.column(there).meaning_and_unit)
        if shown or one.target.label:
            joins.append(f'left join "{one.target.name}" {one.alias} on {one.condition}')
    columns = ", ".join(f'{expression} as "{name}"' for name, (expression, _) in selected.items())
    return View(
        f"flat_{made.name}",
        f'select {columns} from "{made.name}" t {" ".join(joins)}',  # noqa: S608 - declared names
        f"{made.name} with names in place of codes. One row per {made.grain}. {made.table.description}",
        {name: meaning for name, (_, meaning) in selected.items()},
    )


def _latest(of: View) -> View:
    return View(
        f"latest_{of.name.removeprefix('flat_')}",
        f'select * from "{of.name}" where month = (select max(month) from dim_month)',  # noqa: S608 - declared names
        f"The latest published month. {of.comment}",
        of.column_comments,
    )


SCHEMA_BEFORE = "v1"
"""Where the views under the names of the version before are, for one release."""
_TABLE_BEFORE = {"dim_account": "dim_organization"}
_COLUMN_BEFORE = {
    "period": "window",
    "months_in_period": "months_in_window",
    "root_country": "country",
    "root_country_code": "country_code",
    "root_organization": "organization",
    "downloads_language_models": "downloads_language",
    "downloads_language_models_unflagged": "downloads_language_unflagged",
    "tables_checked": "tables_sealed",
}
_VALUE_BEFORE = {"population": "replace(population, 'language_models', 'language')"}
_NEW = ("dim_period", "dim_organization", "dim_definition", "check_results")


def _views_before(published: Mapping[str, PublishedTable], schema: str) -> Iterator[View]:
    """A view under its old names for each table and view of schema version 1 that has other names or values now.

    Their queries name the `schema` of the tables: views of the same name stand in the way.
    """
    now = {name: made.table.schema.names() for name, made in published.items() if not (made.entry_of or name in _NEW)}
    now |= {view.name: list(view.column_comments) for view in views_of(published) if "headline" not in view.name}
    for name, columns in now.items():
        if name in _TABLE_BEFORE or not (_COLUMN_BEFORE.keys() | _VALUE_BEFORE).isdisjoint(columns):
            before = {_COLUMN_BEFORE.get(column, column): column for column in columns}
            selected = (f'{_VALUE_BEFORE.get(column, column)} as "{old}"' for old, column in before.items())
            yield View(
                _TABLE_BEFORE.get(name, name),
                f'select {", ".join(selected)} from {schema}."{name}"',  # noqa: S608 - declared names
                f"{name} under the names of schema version 1, for one release: use {name} itself.",
                {old: f"Called `{column}` in {name}." for old, column in before.items()},
            )


def create_table(
    made: PublishedTable,
    published: Mapping[str, PublishedTable],
    database: Literal["duckdb", "postgres"],
    *,
    with_key: bool = True,
) -> Iterator[str]:
    """The statements that make the table and say what it and its columns mean."""
    parts = [
        f"{identifier(column.name)} {getattr(type_names(column), database)}{'' if column.nullable else ' not null'}"
        for column in made.table.columns
    ]
    if with_key:
        # A key with an absent part cannot be primary.
        kind = "primary key" if made.has_primary_key else "unique"
        parts.append(f"{kind} ({', '.join(map(identifier, made.key))})")
    name = identifier(made.name)
    yield f"create table {name} ({', '.join(parts)})"
    yield from _comments("table", name, table_comment(made), column_comments(made, published))


def create_views(published: Mapping[str, PublishedTable], schema: str, schema_before: str) -> Iterator[str]:
    """The statements that make all views of the tables in `schema`, which queries find, and say what they mean."""
    made = [*((view, schema) for view in views_of(published))]
    made += [(view, schema_before) for view in _views_before(published, schema)]
    for view, place in made:
        name = f"{place}.{identifier(view.name)}"
        yield f"create view {name} as {view.sql}"
        yield from _comments("view", name, view.comment, view.column_comments)


def _comments(kind: str, name: str, comment: str, of_columns: Mapping[str, str]) -> Iterator[str]:
    yield f"comment on {kind} {name} is '{quoted(comment)}'"
    for column, said in of_columns.items():
        yield f"comment on column {name}.{identifier(column)} is '{quoted(said)}'"


def identifier(name: str) -> str:
    """The name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def quoted(text: str) -> str:
    """The text as it stands between the quotes of an SQL literal."""
    return text.replace("'", "''")
