"""One flat view of every mart, with names in place of codes, and one of its latest month.

The same SQL serves DuckDB and PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.publish.relations import reference_of
from pipeline.schema.declaration import Column, Table
from pipeline.tables.columns import MONTH
from pipeline.tables.published import (
    DIM_COUNTRY,
    DIM_MODEL,
    DIM_MONTH,
    MODEL_MONTH,
    MODEL_ORIGIN_MONTH,
    PUBLISHED_TABLES,
)

FACTS = (MODEL_MONTH, MODEL_ORIGIN_MONTH)
OF_THE_MONTH = ("quality", "source", "is_synthetic")
"""What every figure should be shown with, from `dim_month`."""


@dataclass(frozen=True)
class View:
    """A view: its query over the published tables and what its columns mean."""

    name: str
    sql: str
    comment: str
    column_comments: dict[str, str]


def views_of(tables: Sequence[Table]) -> list[View]:
    """The views of the monthly marts and facts among the tables."""
    views = []
    for table in tables:
        if MONTH.name in table.schema.names() and (table in FACTS or table not in PUBLISHED_TABLES):
            flat = _flat(table)
            views += [flat, _latest(flat)]
    return views


def _flat(table: Table) -> View:
    columns: list[tuple[str, str, str]] = []
    joins = []
    for column in table.columns:
        place = f't."{column.name}"'
        target = reference_of(table, column.name)
        if column.name == "member" and "dimension" in table.schema.names():
            alias = f"of_{column.name}"
            joins.append(f"left join dim_country {alias} on t.dimension = 'country' and {alias}.country = {place}")
            columns.append((column.name, f"coalesce({alias}.country_name, {place})", f"{column.meaning} By name."))
            columns.append((f"{column.name}_code", place, f"{column.meaning} As the tables have it."))
        elif target is not None and target[0] is DIM_COUNTRY:
            alias = f"of_{column.name}"
            joins.append(f"left join dim_country {alias} on {alias}.country = {place}")
            columns.append((column.name, f"coalesce({alias}.country_name, {place})", f"{column.meaning} By name."))
            columns.append((f"{column.name}_code", place, column.meaning))
        elif target is not None and target[0] is DIM_MODEL:
            joins.append(f"left join dim_model of_model on of_model.hub_id = {place}")
            columns.append(("model", "of_model.model_id", DIM_MODEL.column("model_id").meaning))
            columns.append((column.name, place, _meaning(column)))
        else:
            columns.append((column.name, place, _meaning(column)))
    names = {name for name, _, _ in columns}
    joins.append("left join dim_month of_month on of_month.month = t.month")
    columns += [
        (name, f"of_month.{name}", _meaning(DIM_MONTH.column(name))) for name in OF_THE_MONTH if name not in names
    ]
    selected = ", ".join(f'{expression} as "{name}"' for name, expression, _ in columns)
    return View(
        f"flat_{table.name}",
        f'select {selected} from "{table.name}" t {" ".join(joins)}',  # noqa: S608 - declared names
        f"{table.name} with names in place of codes. One row per {table.grain}. {table.description}",
        {name: meaning for name, _, meaning in columns},
    )


def _latest(flat: View) -> View:
    return View(
        flat.name.replace("flat_", "latest_", 1),
        f'select * from "{flat.name}" where month = (select max(month) from dim_month)',  # noqa: S608 - declared names
        f"The latest published month. {flat.comment}",
        flat.column_comments,
    )


def _meaning(column: Column) -> str:
    return column.meaning if column.unit is None else f"{column.meaning} [{column.unit}]"
