"""`model_month`, `model_origin_month` and `dim_model`: the models behind the figures."""

import polars as pl

from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.root_attribution import ROOT_ATTRIBUTION
from assets.lineage.model_lineage import MODEL_LINEAGE
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from pipeline.schema.declaration import DECIMAL, Column, Table
from pipeline.schema.published import PublishedMonths, PublishedTable
from pipeline.tables.columns import COUNTRY, CREATED_AT, HUB_ID, MODEL_ID, MONTH, NAMESPACE
from pipeline.tables.listings import HUB_SNAPSHOTS, MODEL_DOWNLOADS, OBSERVATIONS
from pipeline.tables.published import REMAINDER, downloads_column
from pipeline.tables.shares import COUNTRY_SHARES, POPULATION_NAMES
from pipeline.transform import model_facts

_DOWNLOADS_BY_POPULATION = tuple(
    Column(
        downloads_column(population),
        DECIMAL,
        "Downloads in the month."
        if population == "all"
        else f"The part of `downloads` that belongs to population `{population}`, as in the share tables.",
        "downloads",
    )
    for population in POPULATION_NAMES
)
_MODELS = Column("models", pl.Int64, "Repositories that the row stands for: 1, or the remainder's.", "repositories")
_METHOD = Column(
    "method",
    pl.String,
    "The rule of attribution that decided: `registry`, `canonical_models`, `account` or `unmapped`; absent in the "
    "remainder.",
    nullable=True,
)
_REMAINDER_WARNING = (
    "Rows with `hub_id` = `(all other models)` hold all other models of their country; with them the rows of a month "
    "add up to its downloads."
)
_REFERENCES = {
    "month": ("dim_month", "month"),
    "hub_id": ("dim_model", "hub_id"),
    "country": ("dim_country", "country"),
}


def _uploader_facts(months: PublishedMonths) -> pl.DataFrame:
    listed = model_facts.listed_models(months.scan(MODEL_DOWNLOADS))
    return model_facts.uploader_facts(listed, months.scan(MODEL_ATTRIBUTION), months.scan(MODEL_LINEAGE))


def _with_remainder(months: PublishedMonths, facts: pl.DataFrame, attribution: str) -> pl.LazyFrame:
    countries = months.scan(COUNTRY_SHARES).filter(pl.col("attribution") == attribution)
    return model_facts.with_remainder(facts, countries.collect()).lazy()


def _by_uploader(months: PublishedMonths) -> pl.LazyFrame:
    return _with_remainder(months, _uploader_facts(months), "uploader")


def _by_origin(months: PublishedMonths) -> pl.LazyFrame:
    by_uploader = _uploader_facts(months)
    facts = model_facts.origin_facts(by_uploader, months.scan(ORIGIN_WEIGHTS), months.scan(ROOT_ATTRIBUTION))
    return _with_remainder(months, facts, "origin")


MODEL_MONTH = PublishedTable(
    Table(
        group="published",
        name="model_month",
        grain="month and model, with one row per country for all other models",
        description=(
            "Downloads of the models that make up 99.9 % of a month, each with its uploader's organisation and country "
            "and the rule that says so; the remainder is one row per country."
        ),
        columns=(
            MONTH,
            HUB_ID,
            Column("organization", pl.String, "The uploader's organisation; absent in the remainder.", nullable=True),
            COUNTRY,
            Column("kind", pl.String, "Kind of developer; absent in the remainder.", nullable=True),
            _METHOD,
            Column("registry_row", pl.String, "The registry's row that was applied, if any.", nullable=True),
            Column("family", pl.String, "The primary root of the model; absent in the remainder.", nullable=True),
            _MODELS,
            *_DOWNLOADS_BY_POPULATION,
        ),
        key=("hub_id", "country"),
        warnings=(_REMAINDER_WARNING,),
    ),
    _by_uploader,
    _REFERENCES,
    adds_up_to={"downloads": (MODEL_DOWNLOADS, "downloads")},
)

MODEL_ORIGIN_MONTH = PublishedTable(
    Table(
        group="published",
        name="model_origin_month",
        grain="month, model and root, with one row per country for all other models",
        description=(
            "The models of `model_month` by origin: each derivative split over its roots by weight, every other model "
            "wholly its uploader's; the remainder is one row per country."
        ),
        columns=(
            MONTH,
            HUB_ID,
            Column(
                "family", pl.String, "The root; the model itself if it is one; `(all other models)` in the remainder."
            ),
            Column("organization", pl.String, "The root's organisation; absent in the remainder.", nullable=True),
            COUNTRY,
            _METHOD,
            ORIGIN_WEIGHTS.column("weight").optional("The root's part of the model; absent in the remainder."),
            _MODELS,
            *_DOWNLOADS_BY_POPULATION,
        ),
        key=("hub_id", "family", "country"),
        warnings=(_REMAINDER_WARNING, "The same downloads as in `model_month`: never add the two up."),
    ),
    _by_origin,
    _REFERENCES,
    adds_up_to={"downloads": (MODEL_DOWNLOADS, "downloads")},
)


def _models(months: PublishedMonths) -> pl.LazyFrame:
    """Each listed model as it was in the last month in which it is listed."""
    reach = (
        months.published("model_month")
        .filter(pl.col("hub_id") != REMAINDER)
        .group_by("hub_id")
        .agg(pl.col("month").min().alias("first_month"), pl.col("month").max().alias("last_month"))
        .collect()
    )
    described = [
        month.scan(HUB_SNAPSHOTS).join(
            reach.filter(pl.col("last_month") == month.months[0]).lazy(), on="hub_id", how="inner"
        )
        for month in months.each()
    ]
    others = pl.LazyFrame(
        {
            "hub_id": [REMAINDER],
            "model_id": [REMAINDER],
            "first_month": [min(months.months)],
            "last_month": [max(months.months)],
        }
    )
    columns = DIM_MODEL.table.schema.names()
    return pl.concat([*(rows.select(columns) for rows in described), others], how="diagonal")


DIM_MODEL = PublishedTable(
    Table(
        group="published",
        name="dim_model",
        grain="model that is listed one by one in some month",
        description=(
            "The models behind 99.9 % of some month's downloads, as they were in the last month in which they were "
            "among them, and one row that stands for all others."
        ),
        columns=(
            HUB_ID,
            MODEL_ID,
            NAMESPACE.optional(),
            CREATED_AT.optional(),
            *(column for column in OBSERVATIONS if column.name in ("pipeline_tag", "library_name", "license")),
            Column("first_month", pl.Date, "The first month in which the model is listed one by one."),
            Column("last_month", pl.Date, "The last month in which it is: the one that the row describes."),
        ),
        key=("hub_id",),
        monthly=False,
        warnings=("Names are whatever their authors wrote: show them as text, never as markup.",),
    ),
    _models,
    shown={"model": "model_id"},
)
