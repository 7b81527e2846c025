"""One flat view of every table with months, with names in place of codes, and one of its latest month.

They follow from what the tables refer to. The same SQL serves DuckDB and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.publish.relations import Reference, meaning, references_of
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
    """The views of the tables with a row for each month and something; dimensions are left out."""
    flat = [
        _flat(made, references_of(made, published))
        for name, made in published.items()
        if "month" in made.references and not name.startswith(("_", "dim_"))
    ]
    return [view for one in flat for view in (one, _latest(one))]


def _flat(made: PublishedTable, references: list[Reference]) -> View:
    by_column = {reference.column: reference for reference in references}
    columns = [selected for column in made.table.columns for selected in _columns(column.name, made, by_column)]
    joins = []
    for reference in references:
        names = {selected.name for selected in columns}
        added = [
            _Selected(name, f"of_{reference.column}.{shown}", meaning(reference.target.table.column(shown)))
            for name, shown in reference.target.shown.items()
            if name not in names
        ]
        if added or reference.target.label:
            joins.append(_join(reference))
        columns += added
    selected = ", ".join(f'{column.expression} as "{column.name}"' for column in columns)
    return View(
        f"flat_{made.name}",
        f'select {selected} from "{made.name}" t {" ".join(joins)}',  # noqa: S608 - declared names
        f"{made.name} with names in place of codes. One row per {made.table.grain}. {made.table.description}",
        {column.name: column.comment for column in columns},
    )


def _columns(name: str, made: PublishedTable, references: Mapping[str, Reference]) -> Iterator[_Selected]:
    place, column = f't."{name}"', made.table.column(name)
    reference = references.get(name)
    if reference is None or reference.target.label is None:
        yield _Selected(name, place, meaning(column))
        return
    by_name = f"coalesce(of_{name}.{reference.target.label}, {place})"
    yield _Selected(name, by_name, f"{column.meaning} By name.")
    yield _Selected(f"{name}_code", place, meaning(column))


def _join(reference: Reference) -> str:
    alias = f"of_{reference.column}"
    equal = [f'{alias}."{target}" = t."{column}"' for column, target in reference.on]
    if reference.dimension:
        equal.append(f"t.dimension = '{reference.dimension}'")
    return f'left join "{reference.target.name}" {alias} on {" and ".join(equal)}'


def _latest(flat: View) -> View:
    return View(
        flat.name.replace("flat_", "latest_", 1),
        f'select * from "{flat.name}" where month = (select max(month) from dim_month)',  # noqa: S608 - declared names
        f"The latest published month. {flat.comment}",
        flat.column_comments,
    )
