"""`shares/intermediaries`: namespaces that mostly hand on others' models, and their part of the downloads."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from assets.columns import BASIS, COUNTRY, NAMESPACE, ORGANIZATION
from assets.expressions import ratio
from assets.models.models import MODELS
from assets.models.redistribution import FEWEST_REPOSITORIES, INTERMEDIARY_KINDS
from assets.shares.populations import FLAGS, POPULATION, by_population
from assets.shares.share_table import DENOMINATOR, IN_WINDOW, SHARE, in_month
from assets.shares.windows import OF_COUNTRY, OF_WINDOW, of_last_month, over_windows, sums_over_windows
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.declaration import DECIMAL, Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable

_OF_NAMESPACE = ("organization", "country", "intermediary", "repositories", "re_uploaded", "quantized", "adapted")
_PART = "Part of its repositories that are {}."
_ROUNDED_ONE = 1.000000001
INTERMEDIARIES = Table(
    group="shares",
    name="intermediaries",
    grain="population and namespace that is an intermediary",
    description=(
        "Namespaces that mostly re-upload, quantise or adapt others' models, and their part of the downloads: at least "
        f"{FEWEST_REPOSITORIES} repositories, more than half of which have only parents of other organisations and are "
        "re-uploads (the parent's own name), quantised, or adapters and merges. Full fine-tunes are not counted: they "
        "are models of their own. Those without downloads in the month are left out."
    ),
    columns=(
        *IN_WINDOW,
        POPULATION,
        NAMESPACE,
        ORGANIZATION,
        COUNTRY,
        Column(
            "intermediary",
            pl.String,
            "What most of its repositories are: `re_uploader`, `quantizer`, `adapter_publisher`, or `mixed`.",
            values=INTERMEDIARY_KINDS,
        ),
        Column(
            "repositories",
            pl.Int64,
            "Repositories of the namespace, in any population.",
            "repositories",
            minimum=FEWEST_REPOSITORIES,
        ),
        Column("re_uploaded", pl.Float64, _PART.format("re-uploads under the parent's name"), "fraction"),
        Column("quantized", pl.Float64, _PART.format("quantised from others' models"), "fraction"),
        Column("adapted", pl.Float64, _PART.format("adapters or merges of others' models"), "fraction"),
        Column("downloads", DECIMAL, "Numerator: the namespace's downloads.", "downloads"),
        replace(DENOMINATOR, meaning="All downloads of the population."),
        SHARE,
        Column(
            "coverage",
            pl.Float64,
            "Part of the denominator by repositories whose namespace is known.",
            "fraction",
            minimum=0,
            maximum=_ROUNDED_ONE,
        ),
        BASIS,
    ),
    key=("window", "population", "namespace"),
    may_be_empty=True,
    warnings=(
        "The share of all intermediaries together is dimension `intermediary` of `attribute_shares`.",
        "A derivative that declares no parent cannot be told from an original: the figures are lower bounds.",
    ),
)


def intermediary_windows(monthly: pl.LazyFrame, denominators: pl.LazyFrame) -> pl.LazyFrame:
    """`shares/intermediaries` over every window.

    A namespace's downloads are those of the months in which it was an intermediary; what it is, is what it was in the
    last of them. `denominators` are rows of published `country_shares`, which hold every population and month.
    """
    keys = ["month", "window", "population"]
    whole = (
        denominators.filter(pl.col("attribution") == "uploader")
        .select(*keys, "months_in_window", "is_complete", "denominator", "basis")
        .unique()
    )
    months = denominators.filter(pl.col("window") == "month").select("month", "basis", "population").unique()
    stated = months.join(monthly.drop("basis"), on=["month", "population"], how="left")
    sums = sums_over_windows(
        stated, ["population", "namespace"], [pl.col("downloads").sum(), *map(of_last_month, _LAST)]
    )
    return (
        sums.drop_nulls("namespace")
        .drop("months_in_window", "is_complete", "basis")
        .join(whole, on=keys)
        .with_columns(ratio(pl.col("downloads"), pl.col("denominator")).alias("share"))
    )


_LAST = (*_OF_NAMESPACE, "coverage")


def _over_windows(months: PublishedMonths) -> pl.LazyFrame:
    return intermediary_windows(months.scan(INTERMEDIARIES), months.published("country_shares"))


PUBLISHED = PublishedTable(over_windows(INTERMEDIARIES), _over_windows, {**OF_WINDOW, "country": OF_COUNTRY})


@table_asset(INTERMEDIARIES, ins=inputs(models=MODELS))
def intermediaries(models: pl.LazyFrame) -> pl.DataFrame:
    """The month's intermediaries with their part of every population's downloads."""
    return intermediaries_of(models)


def intermediaries_of(models: pl.LazyFrame) -> pl.DataFrame:
    """`shares/intermediaries` of a month, from `models/models`."""
    known = pl.when(pl.col("namespace").is_not_null()).then(pl.col("downloads")).otherwise(0)
    whole = by_population(models.select("downloads", *FLAGS, known.alias("known")), (), ("downloads", "known"))
    owned = models.drop_nulls("intermediary")
    ways = ("re_uploaded", "quantized", "adapted")
    namespaces = (
        owned.group_by("namespace")
        .agg(
            pl.col("organization", "country", "intermediary").first(),
            pl.len().cast(pl.Int64).alias("repositories"),
            *((pl.col("redistributed_as") == way).sum().alias(way) for way in ways),
        )
        .with_columns(ratio(pl.col(way), pl.col("repositories")).alias(way) for way in ways)
        .collect()
    )
    totals = (
        by_population(owned, ["namespace"])
        .filter(pl.col("downloads") > 0)
        .join(namespaces, on="namespace")
        .join(whole.select("population", "known", denominator="downloads"), on="population")
        .with_columns(
            ratio(pl.col("downloads"), pl.col("denominator")).alias("share"),
            ratio(pl.col("known"), pl.col("denominator")).alias("coverage"),
        )
    )
    return in_month(totals, models)
