"""What attributing a month costs at the size of the whole Hub.

The repositories of the month have namespaces as uneven as the Hub's: most hold one or two, the registry's hold a fifth.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from assets.attribution.model_attribution import attribute
from benchmarks.stages import Stage
from pipeline.reference.registry import read_registry

MONTH = dt.date(2025, 8, 1)
ASKED_ACCOUNTS = 30_000


def write_month(folder: Path, repositories: int) -> None:
    """`snapshot.parquet` and `accounts.parquet` of a made-up month."""
    random = np.random.default_rng(1)
    registered = read_registry().organizations["namespace"].unique().sort()
    canonical = read_registry().canonical_models["model_id"]
    persons = max(repositories // 4, 1)
    number = pl.Series("number", np.arange(repositories))
    person = pl.Series("person", (persons * random.random(repositories) ** 2).astype(np.int64))
    known = pl.Series("known", (registered.len() * random.random(repositories) ** 2).astype(np.int64))
    is_known = pl.Series("is_known", random.random(repositories) < 0.2)
    rows = pl.DataFrame([number, person, is_known]).with_columns(registered[known].alias("registered"))
    namespace = pl.when("is_known").then("registered").otherwise(pl.format("author-{}", "person"))
    rows.select(
        pl.lit(MONTH).alias("month"),
        pl.col("number").hash(1).cast(pl.String).str.zfill(24).alias("hub_id"),
        pl.when(pl.col("number") < canonical.len())
        .then(pl.lit(canonical.implode()).list.get(pl.col("number") % canonical.len()))
        .otherwise(pl.format("{}/model-{}-7B-Instruct", namespace, "number"))
        .alias("model_id"),
        pl.when(pl.col("number") >= canonical.len()).then(namespace).alias("namespace"),
    ).sort("hub_id").write_parquet(folder / "snapshot.parquet", compression="zstd")
    pl.DataFrame(
        {
            "namespace": [f"author-{asked}" for asked in range(min(ASKED_ACCOUNTS, persons))],
            "account_type": ["person", "person", "organization"] * (min(ASKED_ACCOUNTS, persons) // 3)
            + ["unknown"] * (min(ASKED_ACCOUNTS, persons) % 3),
        }
    ).write_parquet(folder / "accounts.parquet")


def attribute_month(folder: Path) -> dict[str, Any]:
    """Attributes the month from file to file; how many models were attributed by which method."""
    registry = read_registry()
    attributed = attribute(
        pl.scan_parquet(folder / "snapshot.parquet"),
        MONTH,
        registry=registry.organizations.lazy(),
        canonical_models=registry.canonical_models.lazy(),
        accounts=pl.scan_parquet(folder / "accounts.parquet"),
    ).collect()
    return {"models_by_method": dict(attributed.group_by("method").len().sort("method").iter_rows())}


STAGES = (Stage("attribution", "attribution of a month's models", write_month, attribute_month),)
