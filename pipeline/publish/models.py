"""Exports the model facts month by month, and the dimension that describes their models."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import polars as pl

from pipeline.lake.store import Lake
from pipeline.publish.export import ParquetExport
from pipeline.publish.machine import processors
from pipeline.tables import attribution, lineage, listings, shares
from pipeline.tables.published import DIM_MODEL, MODEL_MONTH, MODEL_ORIGIN_MONTH, REMAINDER
from pipeline.transform import model_facts


def export_models(export: ParquetExport, lake: Lake, months: Sequence[date]) -> None:
    """Writes `model_month`, `model_origin_month` and `dim_model`; a month per processor is held at a time.

    The latest month comes first, so that each model is described as it was last.
    """
    described = [_all_others()]
    latest_first = sorted(months, reverse=True)
    # A month alone leaves a processor idle between its parallel steps.
    with ThreadPoolExecutor(processors()) as pool:
        listed_by_month = pool.map(lambda month: _export_month(export, lake, month), latest_first)
        for month, listed in zip(latest_first, listed_by_month, strict=True):
            known = pl.concat(models.select("hub_id") for models in described)
            unknown = listed.join(known, on="hub_id", how="anti", maintain_order="left")
            described.append(model_facts.described_models(unknown, lake.scan(listings.HUB_SNAPSHOTS, month)))
    facts = pl.scan_parquet(export.files(MODEL_MONTH))
    reach = facts.group_by("hub_id").agg(
        pl.col("month").min().alias("first_month"), pl.col("month").max().alias("last_month")
    )
    models = pl.concat(described, how="diagonal").lazy()
    export.add(DIM_MODEL, models.join(reach, on="hub_id", how="inner"))


def _export_month(export: ParquetExport, lake: Lake, month: date) -> pl.DataFrame:
    """Writes the month's facts; the models that are listed in it, without their downloads."""
    listed = model_facts.listed_models(lake.scan(listings.MODEL_DOWNLOADS, month))
    by_uploader = model_facts.uploader_facts(
        listed, lake.scan(attribution.MODEL_ATTRIBUTION, month), lake.scan(lineage.MODEL_LINEAGE, month)
    )
    by_origin = model_facts.origin_facts(
        by_uploader, lake.scan(lineage.ORIGIN_WEIGHTS, month), lake.scan(attribution.ROOT_ATTRIBUTION, month)
    )
    countries = lake.scan(shares.COUNTRY_SHARES, month).collect()
    for table, facts, name in ((MODEL_MONTH, by_uploader, "uploader"), (MODEL_ORIGIN_MONTH, by_origin, "origin")):
        whole = model_facts.with_remainder(facts, countries.filter(pl.col("attribution") == name))
        export.add_month(table, month, whole)
    return listed.drop(model_facts.DOWNLOADS)


def _all_others() -> pl.DataFrame:
    return pl.DataFrame({"hub_id": [REMAINDER], "model_id": [REMAINDER]})
