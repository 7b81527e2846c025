"""What publishing 24 months of a Hub of millions of models costs.

Makes a lake of finished months first: listings of the whole Hub with derivations as in `benchmarks.lineage`, whose
months the census' own assets make from there on, three of them with downloads of their own. Every later month is one of
the three under its own name, with all downloads grown in proportion. At 3 million models the lake takes 10 GB and some
ten minutes; when it is interrupted, it goes on with the months that are missing.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from assets.listings.boundary import counters_at
from assets.listings.closing_counters import CLOSING_COUNTERS
from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.opening_counters import OPENING_COUNTERS
from benchmarks.lineage import SHAPES, snapshot
from benchmarks.stages import WRITTEN, Stage
from pipeline.definitions import CATALOGUE, defs
from pipeline.lake.provenance import Provenance
from pipeline.lake.store import Lake
from pipeline.months import add_months, closing_of, opening_of
from pipeline.orchestration.table_assets import asset_key
from pipeline.publish.manifest import MONTH_MANIFEST, manifest_of
from pipeline.publish.publication import publish
from pipeline.reference.registry import read_registry
from pipeline.schema.published import Edition

FIRST = dt.date(2024, 9, 1)
MONTHS = 24
MEASURED_MONTHS = 3
"""Months with downloads of their own; the others repeat them in turn."""
GROWTH = 0.02
ASKED_ABOUT = 50_000
"""Namespaces of which the lake knows the kind of account, the most downloaded ones, as the census asks."""
LINKED = (
    HUB_SNAPSHOTS,
    HUB_ACCOUNTS,
    CLOSING_COUNTERS,
    OPENING_COUNTERS,
    CATALOGUE["listings/counter_days"],
    CATALOGUE["attribution/model_attribution"],
    CATALOGUE["attribution/root_attribution"],
    CATALOGUE["lineage/derivations"],
    CATALOGUE["lineage/model_lineage"],
    CATALOGUE["lineage/origin_weights"],
)
"""Large tables of which publishing does not read the month: all repetitions of a month have the same file."""
READ_FROM_THE_HUB = (
    HUB_SNAPSHOTS,
    HUB_ACCOUNTS,
    CLOSING_COUNTERS,
    CATALOGUE["listings/counter_days"],
    OPENING_COUNTERS,
)
TASKS = ["text-generation", "text-to-image", "feature-extraction", "automatic-speech-recognition", None]
LICENCES = ["mit", "apache-2.0", "llama3.1", "other", None]


def make_lake(folder: Path, models: int) -> None:
    """The lake of so many finished months in `folder`; months that are there are left as they are."""
    lake = Lake(str(folder / "lake"))
    registry = _registry_of_authors(folder)
    listing = None
    for number in range(MONTHS):
        month = add_months(FIRST, number)
        if lake.holds(MONTH_MANIFEST, month):
            continue
        if number < MEASURED_MONTHS:
            listing = _listing(models, registry) if listing is None else listing
            _measure_month(lake, month, listing, registry)
        else:
            _repeat_month(lake, add_months(FIRST, number % MEASURED_MONTHS), month, 1 + GROWTH * number)
        lake.write(MONTH_MANIFEST, month, manifest_of(lake, CATALOGUE, month))
        print(f"  {month:%Y-%m} of the lake is made", file=sys.stderr, flush=True)


def _registry_of_authors(folder: Path) -> Path:
    """The census' registry for the names that the made-up models have."""
    path = folder / "registry.csv"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        ours = read_registry().organizations
        author = pl.col("namespace").rank("dense") - 1
        ours.with_columns(pl.format("author-{}", author).alias("namespace")).write_csv(path)
    return path


def _listing(models: int, registry: Path) -> pl.DataFrame:
    """The Hub's models with everything but counters and dates, in the order of their ids."""
    random = np.random.default_rng(1)
    number = np.arange(models)
    registered = pl.read_csv(registry, infer_schema=False)["namespace"].unique()
    namespace = pl.col("model_id").str.split("/").list.first()
    return (
        snapshot(models, SHAPES["hub"])
        .drop("month")
        .sort("hub_id")
        .with_columns(
            namespace.alias("namespace"),
            namespace.is_in(registered.implode()).alias("is_registered"),
            pl.lit("hub_id").alias("identified_by"),
            pl.Series("age_days", random.random(models) * 1200 + 1),
            pl.Series("pipeline_tag", TASKS, dtype=pl.String).gather(number % len(TASKS)),
            pl.Series("license", LICENCES, dtype=pl.String).gather(number * 7 % len(LICENCES)),
            pl.lit("transformers").alias("library_name"),
            pl.lit("false").alias("gated"),
            pl.Series("safetensors_parameters", np.where(number % 2 == 0, number % 90 * 10**9, 7 * 10**8)),
            pl.lit(None, pl.Int64).alias("gguf_parameters"),
            pl.Series("likes", random.integers(0, 100, models)),
        )
    )


def _measure_month(lake: Lake, month: dt.date, listing: pl.DataFrame, registry: Path) -> None:
    """A month as the census makes it from what the Hub lists at its opening and at its close."""
    models = listing.height
    random = np.random.default_rng(month.month)
    # Some 205,000 of 3 million make up 99.9 %, of 2.8 billion downloads: about as steep as the Hub. Developers who are
    # in the registry have the most.
    luck = random.random(models) / np.where(listing["is_registered"].to_numpy(), 20, 1)
    rank = np.empty(models)
    rank[np.argsort(luck)] = np.arange(models) * (3_000_000 / models)
    downloads = np.floor(1.2e11 * (rank + 100.0) ** -1.85).astype(np.int64)
    opened_at, closed_at = opening_of(month), opening_of(add_months(month, 1))
    before = downloads * random.integers(1, 30, models)
    known = listing.with_columns(
        (pl.lit(closed_at) - pl.duration(seconds=pl.col("age_days") * 86_400)).alias("created_at"),
        pl.lit("benchmark").alias("source"),
        pl.lit("1").alias("source_revision"),
    )
    opening = known.with_columns(
        pl.lit(opened_at).alias("observed_at"), pl.Series("downloads_all_time", before)
    ).filter(pl.col("created_at") < opened_at)
    is_older = known["created_at"].to_numpy() < np.datetime64(opened_at.replace(tzinfo=None))
    closing = known.with_columns(
        pl.lit(month).alias("month"),
        pl.lit(closed_at).alias("observed_at"),
        pl.Series("downloads_30d", downloads),
        pl.Series("downloads_all_time", downloads + np.where(is_older, before, 0)),
    )
    most_downloaded = closing.sort("downloads_30d", descending=True).select("namespace").unique(maintain_order=True)
    accounts = most_downloaded.head(ASKED_ABOUT).sort("namespace")
    observed = Provenance(source="benchmark", source_revision="1", observed_at=closed_at.isoformat())
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in HUB_SNAPSHOTS.schema.items()]
    unstated = [column for column in absent if column.meta.output_name() not in closing.columns]
    lake.write(HUB_SNAPSHOTS, month, closing.with_columns(unstated), observed)
    for table, boundary, counters in (
        (CLOSING_COUNTERS, closing_of(month), closing),
        (OPENING_COUNTERS, opening_of(month), opening),
    ):
        known = counters_at(boundary, counters.lazy()).counters
        lake.write(table, month, known.with_columns(pl.lit(month).alias("month")))
    days = CATALOGUE["listings/counter_days"]
    lake.write(days, month, pl.LazyFrame(schema=days.schema))
    lake.write(
        HUB_ACCOUNTS,
        month,
        accounts.with_columns(
            pl.lit(month).alias("month"), pl.lit("person").alias("account_type"), pl.lit(month).alias("checked_on")
        ),
    )
    _make_the_rest(lake, month, registry)


def _make_the_rest(lake: Lake, month: dt.date, registry: Path) -> None:
    """Runs the assets that make every table of the month from what was read."""
    made = [asset_key(table) for table in CATALOGUE.monthly if table not in READ_FROM_THE_HUB]
    chosen = [asset_key(CATALOGUE["attribution/organizations"]), *made]
    defs.resolve_implicit_global_asset_job_def().execute_in_process(
        asset_selection=chosen,
        partition_key=month.isoformat(),
        run_config={
            "resources": {
                "lake": {"config": {"url": lake.url}},
                "registry": {"config": {"path": str(registry)}},
                "origin_rule": {"config": {"rule": "equal_parts"}},
            },
            "loggers": {"console": {"config": {"log_level": "ERROR"}}},
        },
    )


def _repeat_month(lake: Lake, made: dt.date, month: dt.date, growth: float) -> None:
    """A month of its own from one that was made: what counts downloads is written anew, the rest copied."""
    for table in CATALOGUE.monthly:
        if table in LINKED:
            path = Path(str(lake.path(table, month)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            os.link(str(lake.path(table, made)), path)
        else:
            grown = [
                column.name
                for column in table.columns
                if (column.unit == "downloads" or column.name == "parameters_downloaded")
                and not table.schema[column.name].is_integer()
            ]
            lake.write(
                table, month, lake.scan(table, made).with_columns(pl.lit(month).alias("month"), pl.col(grown) * growth)
            )


def publish_months(folder: Path) -> dict[str, int]:
    """Publishes the lake into a new folder; how many months and rows that were."""
    published = folder / WRITTEN
    lake = Lake(str(folder / "lake"))
    made = publish(lake, CATALOGUE, published, lambda: duckdb.connect(":memory:"), Edition("equal_parts"))
    return {"months": len(made.months), "rows": made.rows}


STAGES = (Stage("publish", "publishing 24 months", make_lake, publish_months, at_most_seconds=120, at_most_gib=4),)
