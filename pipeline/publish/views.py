"""One flat view of every table with months, with names in place of codes, and one of its latest month.

They follow from what the tables refer to. The same SQL serves DuckDB and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.publish.relations import Reference, column_comments, meaning, references_of, table_comment
from pipeline.schema.published import PublishedTable


@dataclass(frozen=True)
class View:
    """A view: its query over the published tables and what its columns mean."""

    name: str
    sql: str
    comment: str
    column_comments: dict[str, str]


@dataclass(frozen=True)
class _Selected:
    """A column of a view: its name, what is selected for it, and what it means."""

    name: str
    expression: str
    comment: str


def views_of(published: Mapping[str, PublishedTable]) -> list[View]:
    """The views of the tables with a row for each month and something; dimensions are left out.

    Entry tables have their names already, and only the view of the latest month.
    """
    views = []
    for name, made in published.items():
        if "month" not in made.references or name.startswith(("_", "dim_")):
            continue
        if made.is_entry:
            views.append(_latest(name, table_comment(made), column_comments(made, published)))
        else:
            flat = _flat(made, references_of(made, published))
            views += [flat, _latest(flat.name, flat.comment, flat.column_comments)]
    return views


def _flat(made: PublishedTable, references: list[Reference]) -> View:
    columns = [selected for column in made.table.schema for selected in _columns(column, made, references)]
    names = {selected.name for selected in columns}
    joins = []
    for reference in references:
        added = [
            _Selected(name, f"{_alias(reference)}.{shown}", meaning(reference.target.table.column(shown)))
            for name, shown in reference.target.shown.items()
            if name not in names
        ]
        names |= {selected.name for selected in added}
        columns += added
        if added or reference.target.label:
            joins.append(_join(reference))
    selected = ", ".join(f'{column.expression} as "{column.name}"' for column in columns)
    return View(
        f"flat_{made.name}",
        f'select {selected} from "{made.name}" t {" ".join(joins)}',  # noqa: S608 - declared names
        f"{made.name} with names in place of codes. One row per {made.grain}. {made.table.description}",
        {column.name: column.comment for column in columns},
    )


def _columns(name: str, made: PublishedTable, references: list[Reference]) -> Iterator[_Selected]:
    place, column = f't."{name}"', made.table.column(name)
    labels = [f"{_alias(one)}.{one.target.label}" for one in references if one.column == name and one.target.label]
    if not labels:
        yield _Selected(name, place, meaning(column))
        return
    yield _Selected(name, f"coalesce({', '.join(labels)}, {place})", f"{column.meaning} By name.")
    yield _Selected(f"{name}_code", place, meaning(column))


def _alias(reference: Reference) -> str:
    return f"of_{reference.column}" + (f"_{reference.dimension}" if reference.dimension else "")


def _join(reference: Reference) -> str:
    alias = _alias(reference)
    equal = [f'{alias}."{target}" = t."{column}"' for column, target in reference.on]
    if reference.dimension:
        equal.append(f"t.dimension = '{reference.dimension}'")
    return f'left join "{reference.target.name}" {alias} on {" and ".join(equal)}'


def _latest(name: str, comment: str, comments: dict[str, str]) -> View:
    return View(
        f"latest_{name.removeprefix('flat_')}",
        f'select * from "{name}" where month = (select max(month) from dim_month)',  # noqa: S608 - declared names
        f"The latest published month. {comment}",
        comments,
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


def views_before(published: Mapping[str, PublishedTable], tables: str = "") -> list[View]:
    """A view under its old names for each table and view of schema version 1 that has other names or values now.

    `tables` goes before the name of a table or view: `main.` where views of the same name stand in the way.
    """
    now = {name: made.table.schema.names() for name, made in published.items() if not (made.is_entry or name in _NEW)}
    now |= {view.name: list(view.column_comments) for view in views_of(published) if "headline" not in view.name}
    return [
        _before(name, columns, tables)
        for name, columns in now.items()
        if name in _TABLE_BEFORE or not (_COLUMN_BEFORE.keys() | _VALUE_BEFORE).isdisjoint(columns)
    ]


def _before(name: str, columns: list[str], tables: str) -> View:
    before = {column: _COLUMN_BEFORE.get(column, column) for column in columns}
    selected = (f'{_VALUE_BEFORE.get(column, column)} as "{old}"' for column, old in before.items())
    return View(
        _TABLE_BEFORE.get(name, name),
        f'select {", ".join(selected)} from {tables}"{name}"',  # noqa: S608 - declared names
        f"{name} under the names of schema version 1, for one release: use {name} itself.",
        {old: f"Called `{column}` in {name}." for column, old in before.items()},
    )
