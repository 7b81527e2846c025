"""`shares/intermediaries`: namespaces that mostly hand on others' models, and their part of the downloads."""

import polars as pl

from assets.columns import BASIS, IN_POPULATION, NAMESPACE, OF_WHOLE, UPLOADER, count, downloads, fraction, text
from assets.expressions import ratio
from assets.models.models import FEWEST_REPOSITORIES, INTERMEDIARY_KINDS, MODELS
from assets.shares.periods import of_last_month, over_periods, sums_over_periods
from assets.shares.share_table import FLAGS, by_population, in_month
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Table
from pipeline.schema.published import PublishedTable

_WAYS = {
    "re_uploaded": "re-uploads under the parent's name",
    "quantized": "quantised from others' models",
    "adapted": "adapters or merges of others' models",
}
INTERMEDIARIES = Table(
    "shares/intermediaries",
    grain="population and namespace that is an intermediary",
    description=(
        "Namespaces that mostly re-upload, quantise or adapt others' models, and their part of the downloads: at least "
        f"{FEWEST_REPOSITORIES} repositories, more than half of which have only parents of other organisations and are "
        "re-uploads (the parent's own name), quantised, or adapters and merges. Full fine-tunes are not counted: they "
        "are models of their own. Those without downloads in the month are left out."
    ),
    columns=(
        *IN_POPULATION,
        NAMESPACE,
        *UPLOADER,
        text("intermediary", "`re_uploader`, `quantizer`, `adapter_publisher` or `mixed`.", values=INTERMEDIARY_KINDS),
        count("repositories", "Repositories of the namespace, in any population.", minimum=FEWEST_REPOSITORIES),
        *(fraction(way, f"Part of its repositories that are {meaning}.") for way, meaning in _WAYS.items()),
        downloads("Numerator: the namespace's downloads."),
        *OF_WHOLE,
        fraction("coverage", "Part of the denominator by repositories whose namespace is known."),
        BASIS,
    ),
    key=("period", "population", "namespace"),
    may_be_empty=True,
    warnings=(
        "The share of all intermediaries together is dimension `intermediary` of `attribute_shares`.",
        "A derivative that declares no parent cannot be told from an original: the figures are lower bounds.",
    ),
)


def intermediary_periods(monthly: pl.LazyFrame, denominators: pl.LazyFrame) -> pl.LazyFrame:
    """`shares/intermediaries` over every period.

    A namespace's downloads are those of the months in which it was an intermediary; what it is, is what it was in the
    last of them. `denominators` are rows of published `country_shares`, which hold every population and month.
    """
    keys, stated = ["month", "period", "population"], ["months_in_period", "is_complete", "basis"]
    whole = denominators.filter(pl.col("attribution") == "uploader").select(*keys, *stated, "denominator").unique()
    months = whole.filter(pl.col("period") == "month").select("month", "basis", "population")
    of_namespace = ["organization", "country", "intermediary", "repositories", *_WAYS, "coverage"]
    amounts = [pl.col("downloads").sum(), *map(of_last_month, of_namespace)]
    every_month = months.join(monthly.drop("basis"), on=["month", "population"], how="left")
    sums = sums_over_periods(every_month, ["population", "namespace"], amounts)
    share = ratio(pl.col("downloads"), pl.col("denominator")).alias("share")
    return sums.drop_nulls("namespace").drop(stated).join(whole, on=keys).with_columns(share)


PUBLISHED = PublishedTable(
    over_periods(INTERMEDIARIES),
    lambda months: intermediary_periods(months.scan(INTERMEDIARIES), months.published("country_shares")),
)


def intermediaries_of(models: pl.LazyFrame) -> pl.DataFrame:
    """The month's intermediaries with their part of every population's downloads, from `models/models`."""
    known = pl.when(pl.col("namespace").is_not_null()).then(pl.col("downloads")).otherwise(0)
    whole = by_population(models.select("downloads", *FLAGS, known=known), (), ("downloads", "known"))
    owned = models.drop_nulls("intermediary")
    namespaces = owned.group_by("namespace").agg(
        pl.col("organization", "country", "intermediary").first(),
        pl.len().cast(pl.Int64).alias("repositories"),
        *(pl.col("redistributed_as").eq(way).fill_null(value=False).mean().alias(way) for way in _WAYS),
    )
    totals = (
        by_population(owned, ["namespace"])
        .filter(pl.col("downloads") > 0)
        .join(namespaces.collect(), on="namespace")
        .join(whole.select("population", "known", denominator="downloads"), on="population")
        .with_columns(
            share=ratio(pl.col("downloads"), pl.col("denominator")),
            coverage=ratio(pl.col("known"), pl.col("denominator")),
        )
    )
    return in_month(totals, models)


intermediaries = table_asset(INTERMEDIARIES, models=MODELS)(intermediaries_of)
