"""Tables and frames made up for the tests of checks."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from pipeline.checks.evaluate import evaluate
from pipeline.schema.declaration import Column, Measure, MonthAbsentError, Rule, Table

PATH = "listings/models"
MODEL_ID = Column("model_id", pl.String, "The model's name.")
LIKES = Column("likes", pl.Int64, "Likes.", nullable=True, minimum=0)


@dataclass(frozen=True)
class FramesInMemory:
    """The tables of one month, 2025-04, and of the month before, by `group/name`."""

    current: dict
    previous: dict

    def scan(self, table):
        if table not in self.current:
            raise LookupError(f"{table} is not there")
        return self.current[table].lazy()

    def scan_previous(self, table):
        if table not in self.previous:
            raise MonthAbsentError(date(2025, 3, 1))
        return self.previous[table].lazy()


def models_table(*statements, columns=(MODEL_ID, LIKES), key=("model_id",), name="models", may_be_empty=True):
    """A table of models with likes, which may not be negative."""
    return Table(
        f"listings/{name}",
        grain="model",
        description="Models made up for a test.",
        columns=columns,
        key=key,
        may_be_empty=may_be_empty,
        rules=tuple(one for one in statements if isinstance(one, Rule)),
        measures=tuple(one for one in statements if isinstance(one, Measure)),
    )


def models(**columns):
    return pl.DataFrame(columns, schema_overrides={"model_id": pl.String, "likes": pl.Int64})


def results(table, rows, before=None):
    """The result of each check over these rows of the table, by name; over none where it cannot be read."""
    current, previous = ({} if frame is None else {PATH: frame} for frame in (rows, before))
    return {result.check.name: result for result in evaluate(table, FramesInMemory(current, previous))}


def result_of(statement, rows, before=None):
    """The result of a rule or a measure over these models."""
    return results(models_table(statement), rows, before)[statement.name]


def checked(table, rows):
    """The result of the check of columns over the table's rows."""
    [result] = evaluate(table, FramesInMemory({table.path: rows}, {}), {"as_declared"})
    return result


def broken(result):
    """The constraints that rows broke, and how many did."""
    return {f"{one['column']} {one['constraint']}": one["failed"] for one in result.by_column if one["failed"]}
