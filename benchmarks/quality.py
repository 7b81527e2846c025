"""What it costs to check a month: facts against Great Expectations over a pandas frame of the same rows.

A table of model repositories is judged by the same 16 expectations in two ways: reduced to facts (as
`pipeline.quality.judge` does with large tables), and with the file read into a pandas frame that Great Expectations
validates. Loading Great Expectations is not compared: both ways pay for it once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.stages import Peer, Stage
from pipeline.quality.frames import for_pandas
from pipeline.quality.judge import judge
from pipeline.schema.declaration import TIMESTAMP, Column, Expectation, Table

MODELS_FILE = "models.parquet"
TASKS = ("text-generation", "image-text-to-text", "text-to-image", "automatic-speech-recognition", "fill-mask")

MODELS = Table(
    group="benchmark",
    name="models",
    grain="model repository",
    description="Model repositories as the Hub lists them, made up.",
    columns=(
        Column("hub_id", pl.String, "Id."),
        Column("model_id", pl.String, "Name."),
        Column("namespace", pl.String, "Account.", nullable=True),
        Column("created_at", TIMESTAMP, "Creation.", nullable=True),
        Column("downloads_30d", pl.Int64, "Downloads in 30 days.", nullable=True),
        Column("downloads_all_time", pl.Int64, "Downloads since ever.", nullable=True),
        Column("pipeline_tag", pl.String, "Task.", nullable=True),
        Column("weight", pl.Float64, "A share.", nullable=True),
    ),
    key=("hub_id",),
    expectations=(
        Expectation("ExpectColumnValuesToBeUnique", {"column": "model_id"}),
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "model_id", "regex": r"^[^/\s]+(/[^/\s]+)?$"}),
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "hub_id", "regex": r"^[0-9a-f]{24}$"}),
        Expectation("ExpectColumnValueLengthsToBeBetween", {"column": "namespace", "min_value": 1, "max_value": 96}),
        Expectation("ExpectColumnValuesToNotBeNull", {"column": "created_at", "mostly": 0.95}),
        Expectation("ExpectColumnValuesToBeBetween", {"column": "created_at", "min_value": "2022-03-02T23:29:04Z"}),
        Expectation("ExpectColumnValuesToBeBetween", {"column": "downloads_30d", "min_value": 0}),
        Expectation("ExpectColumnValuesToBeBetween", {"column": "downloads_all_time", "min_value": 0}),
        Expectation("ExpectColumnValuesToBeInSet", {"column": "pipeline_tag", "value_set": list(TASKS)}),
        Expectation("ExpectColumnValuesToBeBetween", {"column": "weight", "min_value": 0, "max_value": 1}),
        Expectation(
            "ExpectColumnPairValuesAToBeGreaterThanB",
            {"column_A": "downloads_all_time", "column_B": "downloads_30d", "or_equal": True, "mostly": 0.9},
        ),
    ),
)


class OneTable:
    """The file as the only table there is."""

    def __init__(self, path: Path):
        self.path = path

    def scan(self, _table: str) -> pl.LazyFrame:
        return pl.scan_parquet(self.path)

    def scan_previous(self, _table: str) -> None:
        return None


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


def by_facts(folder: Path) -> dict[str, float]:
    return _timed(lambda: judge(MODELS, OneTable(folder / MODELS_FILE), row_limit_for_frames=-1))


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
        getattr(kinds, expectation.kind)(**for_pandas(expectation.arguments))
        for expectation in MODELS.all_expectations()
    ]
    batch.validate(gx.ExpectationSuite("declared", expectations=expected), result_format="SUMMARY")


STAGES = (
    Stage(
        "checks",
        "16 expectations of one table of all models, with loading Great Expectations",
        write_models,
        by_facts,
        peers=(Peer("Great Expectations over a pandas frame", by_pandas, 10),),
    ),
)
