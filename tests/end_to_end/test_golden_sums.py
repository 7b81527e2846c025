"""No change that was not meant to change a figure changes one: every number of the sample's lake adds up as recorded.

Recorded anew when downloads became exact decimals: no sum moved by more than 1e-13 of itself. Ranks of members with
equal downloads, which rounding had told apart, go by name since.

Where a figure was meant to change, say why in the commit and record the sums of a new run of the sample:

    census run --source sample && python tests/end_to_end/test_golden_sums.py .census
"""

import sys
from pathlib import Path

import polars as pl

from pipeline.definitions import CATALOGUE
from pipeline.lake.store import Lake
from tests.end_to_end.sample import MONTHS, lake_of

GOLDEN = Path(__file__).with_name("golden_sums.csv")


def sums_of(lake):
    """Grain: table, dimension where there are several, and number column. Over all months of the sample."""
    found = []
    for table in CATALOGUE.monthly:
        dimension = "dimension" if "dimension" in table.schema else pl.lit("-").alias("dimension")
        numbers = [column.name for column in table.columns if column.type.is_numeric()]
        groups = pl.concat([lake.scan(table, month) for month in MONTHS]).group_by(dimension)
        counted = groups.agg(
            pl.len().alias("rows"),
            *(pl.col(name).null_count().alias(f"gaps {name}") for name in numbers),
            *(pl.col(name).cast(pl.Float64).sum().alias(f"sum {name}") for name in numbers),
        )
        found += [
            (table.path, row["dimension"], name, row["rows"], row[f"gaps {name}"], row[f"sum {name}"])
            for row in counted.sort("dimension").collect().iter_rows(named=True)
            for name in numbers
        ]
    return pl.DataFrame(found, schema=["table", "dimension", "column", "rows", "gaps", "sum"], orient="row")


def test_every_number_of_the_sample_adds_up_as_recorded(sample):
    """A table, a dimension or a column that is not recorded yet is none that changed."""
    golden = pl.read_csv(GOLDEN, schema_overrides={"sum": pl.Float64})
    key = ["table", "dimension", "column"]
    both = golden.join(sums_of(lake_of(sample)), on=key, how="left", suffix="_found")
    off = (pl.col("sum") - pl.col("sum_found")).abs() > 1e-9 * pl.max_horizontal(pl.col("sum").abs(), pl.lit(1.0))
    is_other = off | (pl.col("rows") != pl.col("rows_found")) | (pl.col("gaps") != pl.col("gaps_found"))
    other = both.filter(is_other.fill_null(value=True))

    assert other.is_empty(), f"{other}\nA figure changed; if it was meant to, see the head of this file."


if __name__ == "__main__":
    sums_of(Lake(str(Path(sys.argv[1]) / "lake"))).write_csv(GOLDEN)
