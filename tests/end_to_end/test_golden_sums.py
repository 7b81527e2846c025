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
    """Grain: number column of a table. Rows, gaps and the sum over all months of the sample."""
    found = []
    for table in CATALOGUE.monthly:
        rows = pl.concat([lake.scan(table, month) for month in MONTHS])
        numbers = [column.name for column in table.columns if column.type.is_numeric()]
        counted = rows.select(
            pl.len().alias("rows"),
            *(pl.col(name).null_count().alias(f"gaps {name}") for name in numbers),
            *(pl.col(name).cast(pl.Float64).sum().alias(f"sum {name}") for name in numbers),
        ).collect()
        found += [
            (table.path, name, counted["rows"][0], counted[f"gaps {name}"][0], counted[f"sum {name}"][0])
            for name in numbers
        ]
    return pl.DataFrame(found, schema=["table", "column", "rows", "gaps", "sum"], orient="row")


def test_every_number_of_the_sample_adds_up_as_recorded(sample):
    golden = pl.read_csv(GOLDEN, schema_overrides={"sum": pl.Float64})
    both = sums_of(lake_of(sample)).join(golden, on=["table", "column"], how="full", coalesce=True, suffix="_recorded")
    off = (pl.col("sum") - pl.col("sum_recorded")).abs() > 1e-9 * pl.max_horizontal(pl.col("sum").abs(), pl.lit(1.0))
    is_other = (
        off | pl.col("rows").ne_missing(pl.col("rows_recorded")) | pl.col("gaps").ne_missing(pl.col("gaps_recorded"))
    )
    other = both.filter(is_other.fill_null(value=True))

    assert other.is_empty(), f"{other}\nA figure changed; if it was meant to, see the head of this file."


if __name__ == "__main__":
    sums_of(Lake(str(Path(sys.argv[1]) / "lake"))).write_csv(GOLDEN)
