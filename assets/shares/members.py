"""Shares of developers, by uploader and by origin: what the tables of countries and organisations have in common."""

from __future__ import annotations

import polars as pl

from assets.shares.origin import by_root
from assets.shares.populations import FLAGS
from pipeline.schema.declaration import Rule, TableFrames
from pipeline.schema.shares import ATTRIBUTIONS

MAJOR_SHARE = 0.03
JUMP_FACTOR = 1.5
DRIVERS_NAMED = 5


def developers(models: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> dict[str, pl.LazyFrame]:
    """By attribution, the downloads with whose they are: the uploader's, or its roots' where it is a derivative."""
    columns = ("downloads", *FLAGS, "organization", "country")
    derivatives = models.filter("is_derivative").select("hub_id", "downloads", *FLAGS)
    originals = models.filter(~pl.col("is_derivative")).select(columns)
    return {
        "uploader": models.select(columns),
        "origin": pl.concat([originals, by_root(derivatives, weights, roots).select(columns)]),
    }


def developer_rules(dimension: str) -> tuple[Rule, ...]:
    """What holds for the share table of a dimension of developers beside what holds for all."""
    path = f"shares/{dimension}_shares"
    return _conserves_downloads(path), _no_jumps(path, dimension)


def _conserves_downloads(table: str) -> Rule:
    def violations(frames: TableFrames) -> pl.LazyFrame:
        amount = pl.col("downloads")
        sums = (
            frames.scan(table)
            .group_by("month", "period", "population", "dimension")
            .agg(*(amount.filter(pl.col("attribution") == name).sum().alias(name) for name in ATTRIBUTIONS))
        )
        return sums.filter(pl.col("uploader") != pl.col("origin"))

    return Rule("downloads_conserved", "Uploader and origin share out the same downloads.", violations)


def _no_jumps(table: str, dimension: str) -> Rule:
    """Major members whose share jumped since the month before, with the models that drive it.

    Months of different bases are not compared: a change of counter is no jump.
    """
    quoted = ("member", "share_before", "share", "driven_by")

    def violations(frames: TableFrames) -> pl.LazyFrame:
        whole = (pl.col("population") == "all") & (pl.col("attribution") == "uploader")
        now, before = (
            scan(table).filter(whole).select("member", "share", "basis") for scan in (frames.scan, frames.scan_previous)
        )
        larger, smaller = pl.max_horizontal("share", "share_before"), pl.min_horizontal("share", "share_before")
        jumped = (
            now.join(before, on="member", how="full", coalesce=True, suffix="_before")
            .with_columns(pl.col("share", "share_before").fill_null(0.0))
            .filter(
                larger >= MAJOR_SHARE,
                larger > JUMP_FACTOR * smaller,
                pl.col("basis").max() == pl.col("basis_before").max(),
            )
        )
        models_before = frames.scan_previous("models/models").select("hub_id", downloads_before="downloads")
        change = pl.col("downloads") - pl.col("downloads_before").fill_null(0)
        drivers = (
            frames.scan("models/models")
            .select("hub_id", "model_id", "downloads", member=dimension)
            .join(jumped.select("member"), on="member", how="semi")
            .join(models_before, on="hub_id", how="left")
            .sort(change.abs(), "model_id", descending=[True, False])
            .group_by("member", maintain_order=True)
            .agg(pl.col("model_id").head(DRIVERS_NAMED).str.join(", ").alias("driven_by"))
        )
        return jumped.join(drivers, on="member", how="left").select(quoted).sort("share", "member", descending=True)

    return Rule(
        "no_jumps",
        f"No member above {MAJOR_SHARE:.0%} may change by a factor of {JUMP_FACTOR} from one month to the next.",
        violations,
        severity="warning",
        quoted=quoted,
    )
