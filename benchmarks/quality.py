"""What it costs to check a table: one row of counts against Great Expectations over a pandas frame of the same rows.

A table of model repositories is checked by the same constraints in two ways: counted in one pass (as
`pipeline.checks.evaluate` does), and with the file read into a pandas frame that Great Expectations validates. Loading
Great Expectations is not compared: both ways pay for it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.stages import Peer, Stage
from pipeline.checks.evaluate import evaluate
from pipeline.checks.rules import mostly_known
from pipeline.schema.declaration import TIMESTAMP, Column, Table

MODELS_FILE = "models.parquet"
TASKS = ("text-generation", "image-text-to-text", "text-to-image", "automatic-speech-recognition", "fill-mask")

MODELS = Table(
    "benchmark/models",
    grain="model repository",
    description="Model repositories as the Hub lists them, made up.",
    columns=(
        Column("hub_id", pl.String, "Id.", pattern=r"^[0-9a-f]{24}$"),
        Column("model_id", pl.String, "Name.", unique=True, pattern=r"^[^/\s]+(/[^/\s]+)?$"),
        Column("namespace", pl.String, "Account.", nullable=True, pattern="^.{1,96}$"),
        Column("created_at", TIMESTAMP, "Creation.", nullable=True),
        Column("downloads_30d", pl.Int64, "Downloads in 30 days.", nullable=True, minimum=0),
        Column(
            "downloads_all_time",
            pl.Int64,
            "Downloads since ever.",
            nullable=True,
            minimum="downloads_30d",
            maximum=1e12,
        ),
        Column("pipeline_tag", pl.String, "Task.", nullable=True, values=TASKS),
        Column("weight", pl.Float64, "A share.", nullable=True, minimum=0, maximum=1),
    ),
    key=("hub_id",),
    measures=(mostly_known("benchmark/models", "created_at", 0.95),),
)


class OneTable:
    """The file as the only table there is."""

    def __init__(self, path: Path):
        self.path = path

    def scan(self, _table: str) -> pl.LazyFrame:
        return pl.scan_parquet(self.path)

    def scan_previous(self, _table: str) -> pl.LazyFrame:
        raise LookupError("there is no month before")


def write_models(folder: Path, rows: int) -> None:
    """A month of repositories with a few percent of gaps, sorted as the lake sorts them."""
    random = np.random.default_rng(20250801)
    number = pl.int_range(rows, eager=True).cast(pl.String)
    recent = random.pareto(0.6, rows).clip(0, 5e7).astype(np.int64)
    with_gaps = pl.Series(random.random(rows) < 0.97)
    pl.DataFrame(
        {
            "hub_id": "65a1f0c2" + number.str.zfill(16),
            "model_id": "account" + pl.Series(random.integers(0, 600_000, rows)).cast(pl.String) + "/model-" + number,
            "namespace": "account" + pl.Series(random.integers(0, 600_000, rows)).cast(pl.String),
            "created_at": pl.Series(random.integers(1_646_300_000, 1_756_600_000, rows) * 1_000_000).cast(TIMESTAMP),
            "downloads_30d": recent,
            "downloads_all_time": recent * random.integers(1, 40, rows),
            "pipeline_tag": pl.Series(np.array(TASKS)[random.integers(0, len(TASKS), rows)]),
            "weight": random.random(rows),
        },
        schema=MODELS.schema,
    ).with_columns(
        pl.when(with_gaps).then(pl.col("created_at", "downloads_30d", "pipeline_tag", "weight"))
    ).write_parquet(folder / MODELS_FILE, compression="zstd")


def by_counts(folder: Path) -> dict[str, float]:
    return _timed(lambda: evaluate(MODELS, OneTable(folder / MODELS_FILE)))


def by_pandas(folder: Path) -> dict[str, float]:
    """What one would write without the bridge: pandas' own types, one suite, summarised results."""
    return _timed(lambda: _validate_by_pandas(folder / MODELS_FILE))


def _timed(work: Callable[[], object]) -> dict[str, float]:
    import great_expectations  # noqa: F401, PLC0415 - its loading is not compared

    begin = time.perf_counter()
    work()
    return {"part_seconds": time.perf_counter() - begin}


def _validate_by_pandas(path: Path) -> None:
    import great_expectations as gx  # noqa: PLC0415
    from great_expectations import expectations as kinds  # noqa: PLC0415
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("checked").add_dataframe_asset("rows")
    frame = pl.read_parquet(path).to_pandas()
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
    expected = [
        kinds.ExpectTableColumnsToMatchOrderedList(column_list=MODELS.schema.names()),
        kinds.ExpectTableRowCountToBeBetween(min_value=1),
        kinds.ExpectColumnValuesToNotBeNull(column="created_at", mostly=0.95),
        kinds.ExpectColumnPairValuesAToBeGreaterThanB(
            column_A="downloads_all_time", column_B="downloads_30d", or_equal=True, mostly=0.9
        ),
        *(kinds.ExpectColumnValuesToNotBeNull(column=one.name) for one in MODELS.columns if not one.nullable),
        *(kinds.ExpectColumnValuesToBeUnique(column=name) for name in ("hub_id", "model_id")),
        *(
            kinds.ExpectColumnValuesToMatchRegex(column=column.name, regex=column.pattern)
            for column in MODELS.columns
            if column.pattern
        ),
        *(
            kinds.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=most)
            for name, most in (("downloads_30d", None), ("downloads_all_time", 1e12), ("weight", 1))
        ),
        kinds.ExpectColumnValuesToBeInSet(column="pipeline_tag", value_set=list(TASKS)),
    ]
    batch.validate(gx.ExpectationSuite("declared", expectations=expected), result_format="SUMMARY")


STAGES = (
    Stage(
        "checks",
        "18 constraints of one table of all models, without loading Great Expectations",
        write_models,
        by_counts,
        peers=(Peer("Great Expectations over a pandas frame", by_pandas, 10),),
    ),
)
