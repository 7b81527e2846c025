"""What it costs to check a month: facts against Great Expectations over a pandas frame of the same rows.

Writes a table of model repositories as Parquet and judges it by the same 16 expectations in two ways, each in a
process of its own: reduced to facts (as `pipeline.quality.judge` does with large tables), and with the file read into
a pandas frame that Great Expectations validates. A second table shows the two ways of `judge` where they meet, at the
row limit. Loading Great Expectations is timed apart: both ways pay for it once. On a machine that is busy with other
work, compare processor seconds.

    python -m benchmarks.quality --rows 3000000
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.quality.frames import for_pandas
from pipeline.quality.judge import judge
from pipeline.tables.declaration import TIMESTAMP, Column, Expectation, Table

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


def write_models(rows: int, path: Path) -> None:
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
    ).write_parquet(path, compression="zstd")


def by_facts(path: Path) -> int:
    return _failed(judge(MODELS, OneTable(path), row_limit_for_frames=-1))


def by_frames(path: Path) -> int:
    return _failed(judge(MODELS, OneTable(path), row_limit_for_frames=sys.maxsize))


def by_pandas(path: Path) -> int:
    """What one would write without the bridge: pandas' own types, one suite, summarised results."""
    import great_expectations as gx  # noqa: PLC0415 (its loading is timed apart)
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
    report = batch.validate(gx.ExpectationSuite("declared", expectations=expected), result_format="SUMMARY")
    return sum(not result.success for result in report.results)


def _failed(verdicts) -> int:
    return sum(not verdict.passed for verdict in verdicts)


WAYS = {"facts": by_facts, "frames": by_frames, "GX over pandas": by_pandas}


def measure(way: str, path: Path, answers: multiprocessing.Queue) -> None:
    """Seconds to load Great Expectations and to check, processor seconds, peak memory, and failed checks of one way."""
    started = time.perf_counter()
    import great_expectations  # noqa: F401, PLC0415

    loaded = time.perf_counter()
    processor_time = time.process_time()
    failed = WAYS[way](path)
    finished = time.perf_counter()
    answers.put((loaded - started, finished - loaded, time.process_time() - processor_time, peak_megabytes(), failed))


def peak_megabytes() -> float:
    """Peak resident memory of this process; unlike getrusage, not that of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def compare(ways: tuple[str, ...], rows: int, folder: Path) -> None:
    """Prints one line a way, and how many times as fast the first is as the others."""
    path = folder / f"models-{rows}.parquet"
    write_models(rows, path)
    print(f"\n{rows:,} rows, {len(MODELS.all_expectations())} expectations")
    print(f"{'way':<16}{'load GX s':>11}{'check s':>10}{'cpu s':>8}{'peak MB':>10}{'failed':>8}{'times':>8}")
    fastest = None
    for way in ways:
        context = multiprocessing.get_context("spawn")
        answers = context.Queue()
        process = context.Process(target=measure, args=(way, path, answers))
        process.start()
        loading, checking, processor, peak, failed = answers.get()
        process.join()
        fastest = fastest or checking
        figures = f"{loading:>11.2f}{checking:>10.2f}{processor:>8.2f}{peak:>10,.0f}{failed:>8}"
        print(f"{way:<16}{figures}{checking / fastest:>8.1f}")


def main() -> None:
    """Compares the ways at full size and at the row limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=3_000_000)
    parser.add_argument("--row-limit", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="census-benchmark-") as folder:
        compare(("facts", "GX over pandas"), arguments.rows, Path(folder))
        compare(("facts", "frames", "GX over pandas"), arguments.row_limit, Path(folder))


if __name__ == "__main__":
    main()
