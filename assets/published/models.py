"""`model_month`, `model_origin_month` and `dim_model`: the models behind the figures."""

from dataclasses import replace

import polars as pl

from assets.attribution.model_attribution import METHOD, ROOT_ATTRIBUTION
from assets.columns import COUNTRY, CREATED_AT, HUB_ID, MODEL, MONTH, NAMESPACE, ORGANIZATION, count, downloads, text
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.listings.closing_counters import BOUNDARY
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, OBSERVATIONS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from assets.models.models import MODELS
from assets.shares.country_shares import COUNTRY_SHARES
from assets.shares.members import by_root
from assets.shares.share_table import FLAGS
from pipeline.schema.declaration import Column, Table
from pipeline.schema.figure import AMOUNTS, SHARE, Chart, Figure, Shown
from pipeline.schema.published import PublishedMonths, PublishedTable, published_table
from pipeline.schema.shares import POPULATION_NAMES, POPULATIONS, REMAINDER, downloads_column

LISTED_SHARE = 0.999
"""The models of a month that are listed one by one make up at least this part of its downloads."""
_COUNTED = (
    BOUNDARY,
    count("models", "Repositories that the row stands for: 1, or the remainder's.", "repositories"),
    *(
        downloads(f"Downloads in the month, of population `{population}`.", downloads_column(population))
        for population in POPULATION_NAMES
    ),
)
_REMAINDER_WARNING = (
    "Rows with `hub_id` = `(all other models)` hold all other models of their country; with them the rows of a month "
    "add up to its downloads."
)
_LISTED_ID = replace(HUB_ID, refers_to="dim_model")


def listed_models(models: pl.LazyFrame) -> pl.LazyFrame:
    """The most downloaded models, with ties, that make up 99.9 % of the month, and their downloads by population."""
    amount = pl.col("downloads")
    is_needed = (amount.cum_sum() - amount).cast(pl.Float64) < LISTED_SHARE * amount.sum().cast(pl.Float64)
    least = models.select(amount.sort(descending=True)).filter(is_needed).select(least=amount.min())
    return (
        models.join(least, how="cross", maintain_order="left")
        .filter((amount >= pl.col("least")) & (amount > 0))
        .with_columns(**_in_populations())
    )


def _in_populations() -> dict[str, pl.Expr]:
    """The part of `downloads` that belongs to each population, by the name of its column."""
    return {
        downloads_column(population.name): pl.when(population.has_model()).then(pl.col("downloads")).otherwise(0)
        for population in POPULATIONS
    }


def by_uploader(listed: pl.LazyFrame) -> pl.LazyFrame:
    """`model_month` without the remainder: each listed model wholly its uploader's."""
    return listed.with_columns(models=pl.lit(1, pl.Int64), family="root_model_id")


def by_origin(listed: pl.LazyFrame, weights: pl.LazyFrame, roots: pl.LazyFrame) -> pl.LazyFrame:
    """`model_origin_month` without the remainder: each listed model its roots' by weight, to the last digit."""
    derivatives = listed.select("month", "hub_id", "downloads", "boundary", *FLAGS)
    split = (
        by_root(derivatives, weights, roots)
        .join(roots.select("root_model_id", "method"), on="root_model_id", how="left")
        .rename({"root_model_id": "family"})
    )
    whole = listed.join(weights, on="hub_id", how="anti").with_columns(
        weight=pl.lit(1, ORIGIN_WEIGHTS.schema["weight"]), family="model_id"
    )
    columns = ["month", "hub_id", "family", "organization", "country", "method", "weight", "downloads", "boundary"]
    parts = pl.concat([rows.select(*columns, *FLAGS) for rows in (whole, split)])
    return parts.with_columns(models=pl.lit(1, pl.Int64), **_in_populations())


def with_remainder(rows: pl.LazyFrame, country_shares: pl.LazyFrame) -> pl.LazyFrame:
    """The rows with one per country for all models that are not among them.

    `country_shares` are the month's rows of `shares/country_shares` of one attribution, which hold every model.
    """
    amounts = {downloads_column(name): pl.col("downloads").filter(population=name).sum() for name in POPULATION_NAMES}
    whole = country_shares.group_by("month", country="member").agg(
        pl.col("models").filter(population="all").sum(), **amounts
    )
    listed = rows.group_by("country").agg(pl.col(*amounts).sum(), models=pl.col("hub_id").n_unique().cast(pl.Int64))
    rest = whole.join(listed, on="country", how="left", suffix="_listed").select(
        *("month", "country"),
        *((pl.col(name) - pl.col(f"{name}_listed").fill_null(0)).clip(0) for name in ("models", *amounts)),
        hub_id=pl.lit(REMAINDER),
    )
    return pl.concat([rows, rest.filter(pl.col("models") > 0)], how="diagonal")


def _model_month(months: PublishedMonths) -> pl.LazyFrame:
    rows = by_uploader(listed_models(months.scan(MODELS))).select(MODEL_MONTH.table.schema.names())
    return with_remainder(rows, months.scan(COUNTRY_SHARES).filter(attribution="uploader"))


def _model_origin_month(months: PublishedMonths) -> pl.LazyFrame:
    listed = listed_models(months.scan(MODELS)).collect().lazy()
    rows = by_origin(listed, months.scan(ORIGIN_WEIGHTS), months.scan(ROOT_ATTRIBUTION)).collect().lazy()
    whole = with_remainder(rows, months.scan(COUNTRY_SHARES).filter(attribution="origin"))
    return whole.with_columns(
        pl.col("family").fill_null(REMAINDER), root_organization="organization", root_country="country"
    )


MODEL_MONTH = PublishedTable(
    Table(
        "published/model_month",
        grain="month and model, with one row per country for all other models",
        description="The models behind 99.9 % of a month's downloads, each with its uploader and by which rule.",
        columns=(
            MONTH,
            _LISTED_ID,
            ORGANIZATION.optional("The uploader's organisation; absent in the remainder."),
            COUNTRY,
            text("kind", "Kind of developer; absent in the remainder.", nullable=True),
            METHOD.optional(),
            text("registry_row", "The registry's row that was applied, if any.", nullable=True),
            text("family", "The primary root of the model; absent in the remainder.", nullable=True),
            *_COUNTED,
        ),
        key=("hub_id", "country"),
        warnings=(_REMAINDER_WARNING,),
    ),
    _model_month,
    adds_up_to={"downloads": (MODEL_DOWNLOADS, "downloads")},
)

MODEL_ORIGIN_MONTH = PublishedTable(
    Table(
        "published/model_origin_month",
        grain="month, model and root, with one row per country for all other models",
        description="The models of `model_month` by origin: each derivative is split over its roots by weight.",
        columns=(
            MONTH,
            _LISTED_ID,
            text("family", "The root; the model itself if it is one; `(all other models)` in the remainder."),
            replace(ORGANIZATION.optional("The root's; absent in the remainder."), name="root_organization"),
            replace(COUNTRY, name="root_country", meaning=f"The root's country, not the uploader's. {COUNTRY.meaning}"),
            METHOD.optional(),
            ORIGIN_WEIGHTS.column("weight").optional("The root's part of the model; absent in the remainder."),
            *_COUNTED,
        ),
        key=("hub_id", "family", "root_country"),
        warnings=(_REMAINDER_WARNING, "The same downloads as in `model_month`: never add the two up."),
    ),
    _model_origin_month,
    adds_up_to={"downloads": (MODEL_DOWNLOADS, "downloads")},
)


def _models(months: PublishedMonths) -> pl.LazyFrame:
    """Each listed model as it was in the last month in which it is listed."""
    listed = months.published("model_month").filter(pl.col("hub_id") != REMAINDER)
    seen = pl.col("month")
    reach = listed.group_by("hub_id").agg(first_month=seen.min(), last_month=seen.max()).collect()
    columns = DIM_MODEL.table.schema.names()
    # Month by month: whatever is read at once is held at once.
    described = [
        month.scan(HUB_SNAPSHOTS)
        .join(reach.filter(last_month=month.months[0]).lazy(), on="hub_id")
        .select(columns)
        .collect(engine="streaming")
        for month in months.each()
    ]
    others = {"hub_id": REMAINDER, "model_id": REMAINDER}
    reached = {"first_month": min(months.months), "last_month": max(months.months)}
    return pl.concat([pl.concat(described).lazy(), pl.LazyFrame([others | reached])], how="diagonal")


DIM_MODEL = published_table(
    "dim_model",
    _models,
    grain="model that is listed one by one in some month",
    description="The models of `model_month`, as they were when last listed there, and one row for all others.",
    columns=(
        *MODEL,
        NAMESPACE.optional(),
        CREATED_AT.optional(),
        *(column for column in OBSERVATIONS if column.name in ("pipeline_tag", "library_name", "license")),
        Column("first_month", pl.Date, "The first month in which the model is listed one by one."),
        Column("last_month", pl.Date, "The last month in which it is listed; the row says what it was then."),
    ),
    key=("hub_id",),
    warnings=("Names are untrusted input: show them as text, never as markup.",),
    shown={"model": "model_id"},
)

# What a person who knows these accounts can add to the registry.
UNMAPPED_ACCOUNTS_FIGURE = Figure(
    "unmapped-accounts",
    "Largest accounts that are not in the registry",
    "Of all downloads in the period, the part of each of the largest accounts of which the registry says nothing. "
    "Whose account is it, and where is that? docs/adding-an-organisation.md says how to add it: one or two lines, and "
    "a page that says it.",
    table="model_month",
    place=135,
    sql="""
        with whole as (
          select sum(downloads) as denominator, sum(coverage * downloads) / sum(downloads) as coverage,
            bool_or(is_synthetic) as is_synthetic
          from dim_month where list_contains($months, month) having sum(downloads) > 0
        ), unmapped as (
          select namespace, sum(model_month.downloads) as downloads, count(distinct hub_id) as models
          from model_month join dim_model using (hub_id)
          where list_contains($months, month) and model_month.country = 'unmapped' and namespace is not null
          group by namespace having sum(model_month.downloads) > 0
        )
        select namespace, downloads, models, denominator, coverage, downloads / denominator as share,
          case when is_synthetic then 'invented' else 'https://huggingface.co/' || namespace end as address
        from unmapped, whole order by downloads desc, namespace limit 25
    """,
    columns=(
        Shown("namespace", "account", "text"),
        SHARE,
        AMOUNTS[0],
        Shown("models", "models", "count"),
        Shown("address", "address", "text"),
    ),
    chart=Chart("bars", "namespace", "share"),
    population="all models",
    if_empty="No values: no account with downloads is unmapped.",
)
