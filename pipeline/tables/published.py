"""Group `published`: which months may be published, and the tables that readers see beside the marts."""

from __future__ import annotations

import polars as pl

from pipeline.schema.declaration import DECIMAL, TIMESTAMP, Column, Table
from pipeline.tables.columns import (
    COUNTRY,
    CREATED_AT,
    DEVELOPER_KIND,
    HUB_ID,
    MODEL_ID,
    MONTH,
    NAMESPACE,
    OBSERVED_AT,
    ORGANIZATION,
    SOURCE,
    SOURCE_REVISION,
    ULTIMATE_OWNER,
    ULTIMATE_OWNER_COUNTRY,
)
from pipeline.tables.lineage import ORIGIN_RULE
from pipeline.tables.listings import MONTH_ACCOUNTS, OBSERVATIONS
from pipeline.tables.shares import POPULATION_NAMES

MONTH_SEALS = Table(
    group="published",
    name="month_seals",
    grain="table of the month",
    description=(
        "The digest of each of the month's files, written only after every blocking check on them has passed. A month "
        "is published if its seal is there and matches the files."
    ),
    columns=(
        MONTH,
        Column("table", pl.String, "The table, `group/name`."),
        Column("rows", pl.Int64, "Rows of the month.", "rows"),
        Column("bytes", pl.Int64, "Size of the month's file.", "bytes", minimum=1),
        Column("sha256", pl.String, "Digest of the month's file.", pattern=r"^[0-9a-f]{64}$"),
        SOURCE,
        SOURCE_REVISION,
        OBSERVED_AT,
        Column("registry_digest", pl.String, "Digest of the registry that the month was attributed by.", nullable=True),
        Column("code_version", pl.String, "Version of the distribution that made the month."),
    ),
    key=("table",),
)

DIM_MONTH = Table(
    group="published",
    name="dim_month",
    grain="published month",
    description="Every published month: what it was measured from, how, and how much of it is attributed.",
    columns=(
        MONTH,
        SOURCE,
        SOURCE_REVISION,
        *(
            MONTH_ACCOUNTS.column(name)
            for name in (
                "opened_at",
                "closed_at",
                "days_observed",
                "scaling",
                "basis",
                "quality",
                "models",
                "downloads",
                "downloads_by_30d_counter",
                "downloads_flagged",
                "is_plausible",
                "incidents",
                "incidents_at_observation",
            )
        ),
        Column("coverage", pl.Float64, "Part of the downloads that is attributed (not unmapped).", "fraction"),
        ORIGIN_RULE,
        Column("is_synthetic", pl.Boolean, "Whether the month is of the synthetic sample, not of the real Hub."),
    ),
    key=("month",),
    monthly=False,
)

DIM_COUNTRY = Table(
    group="published",
    name="dim_country",
    grain="member of the dimension country",
    description="The members of the dimension `country` by name, those that are not countries included.",
    columns=(
        COUNTRY,
        Column("country_name", pl.String, "The country's usual English name."),
        Column("is_country", pl.Boolean, "False for `international`, `unaffiliated` and `unmapped`."),
    ),
    key=("country",),
    monthly=False,
)

DIM_ORGANIZATION = Table(
    group="published",
    name="dim_organization",
    grain="namespace and period of validity",
    description="The reviewed registry as it was at publication: organisation and country of each namespace.",
    columns=(
        NAMESPACE,
        ORGANIZATION,
        COUNTRY.optional(),
        DEVELOPER_KIND,
        Column("valid_from", pl.Date, "First day on which the row holds; absent: since ever.", nullable=True),
        Column("valid_to", pl.Date, "First day on which the row holds no longer; absent: still.", nullable=True),
        Column("is_current", pl.Boolean, "Whether the row still holds."),
        Column("organization_today", pl.String, "The organisation by the namespace's latest row."),
        Column("country_today", pl.String, "The country by the namespace's latest row.", nullable=True),
        ULTIMATE_OWNER,
        ULTIMATE_OWNER_COUNTRY,
        Column(
            "evidence",
            pl.String,
            "The address that supports the row if it is `read`, else one where it can be checked.",
        ),
        Column("basis", pl.String, "`read`: the address was opened and says it; `well_known`: common knowledge."),
    ),
    key=("namespace", "valid_from"),
    monthly=False,
)

COVERAGE = Table(
    group="published",
    name="coverage",
    grain="month, aspect and member",
    description="The accounts of every month: how downloads were measured, and by which rule they were attributed.",
    columns=(
        MONTH,
        Column(
            "aspect",
            pl.String,
            "`measurement` (members: flow cases), `attribution` (members: methods) or `attributed_to` (members: "
            "`organization`, `unaffiliated`, `unmapped`).",
        ),
        Column("member", pl.String, "The flow case, the method of attribution, or what it came to."),
        Column("models", pl.Int64, "Repositories.", "repositories"),
        Column("downloads", DECIMAL, "Downloads in the month.", "downloads"),
        Column("share_of_downloads", pl.Float64, "Share of the month's downloads.", "fraction"),
    ),
    key=("month", "aspect", "member"),
    monthly=False,
)

SCHEMA_VERSION = "1.1"
"""The version of the published tables' shape: the first number changes where a reader must change something, the second
where something was added. See `docs/published-schema.md`."""
SCHEMA_DIGEST = "e35a57e65414cf8ee368e0dec31260542da6a7072e9fe2787cbe1393f58225f3"
"""Digest of the shape that this version names: tables and views, their columns, types and keys. The tests compare it
with the declarations, so that no shape changes under a version that stays."""
REMAINDER = "(all other models)"
"""The `hub_id` of the rows that hold all models of a country which are not listed one by one."""
LISTED_SHARE = 0.999
"""The models of a month that are listed one by one make up at least this part of its downloads."""


def downloads_column(population: str) -> str:
    """The column of the model facts that holds the downloads of a population."""
    return "downloads" if population == "all" else f"downloads_{population}"


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
    "The rule of attribution that decided, as in `attribution/model_attribution`; absent in the remainder.",
    nullable=True,
)
_REMAINDER_WARNING = (
    "Rows with `hub_id` = `(all other models)` hold all other models of their country; with them the rows of a month "
    "add up to its downloads."
)

DIM_MODEL = Table(
    group="published",
    name="dim_model",
    grain="model that is listed one by one in some month",
    description=(
        "The models behind 99.9 % of some month's downloads, as they were in the last month in which they were among "
        "them, and one row that stands for all others."
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
    warnings=("Names are whatever strangers wrote: show them as text, never as markup.",),
)

MODEL_MONTH = Table(
    group="published",
    name="model_month",
    grain="month and model, with one row per country for all other models",
    description=(
        "Downloads of the models that make up 99.9 % of a month, each with its uploader's organisation and country and "
        "the rule that says so; the remainder is one row per country."
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
    key=("month", "hub_id", "country"),
    monthly=False,
    warnings=(_REMAINDER_WARNING,),
)

MODEL_ORIGIN_MONTH = Table(
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
        Column("family", pl.String, "The root; the model itself if it is one; `(all other models)` in the remainder."),
        Column("organization", pl.String, "The root's organisation; absent in the remainder.", nullable=True),
        COUNTRY,
        _METHOD,
        Column(
            "weight", pl.Float64, "The root's part of the model; absent in the remainder.", "fraction", nullable=True
        ),
        _MODELS,
        *_DOWNLOADS_BY_POPULATION,
    ),
    key=("month", "hub_id", "family", "country"),
    monthly=False,
    warnings=(_REMAINDER_WARNING, "The same downloads as in `model_month`: never add the two up."),
)

CENSUS = Table(
    group="published",
    name="_census",
    grain="published month",
    description="What this version of the publication is: who made it, when, from what, and what was checked.",
    columns=(
        Column("version", pl.String, "The version of the publication; all its files carry the same."),
        Column("schema_version", pl.String, "The version of the tables' shape; see the changelog."),
        Column("code_version", pl.String, "Version of the distribution that made the publication."),
        Column("run_id", pl.String, "Dagster's run that made it; absent outside of Dagster.", nullable=True),
        Column("published_at", TIMESTAMP, "When it was made.", "UTC"),
        MONTH,
        SOURCE,
        SOURCE_REVISION,
        Column("month_code_version", pl.String, "Version of the distribution that made the month."),
        Column("tables_sealed", pl.Int64, "Tables of the month that match its seal.", "tables"),
        Column("checks_passed", pl.Int64, "Blocking checks on these tables, all of which passed.", "checks"),
        Column("checked_at", TIMESTAMP, "When the last of them had passed and the month was sealed.", "UTC"),
    ),
    key=("month",),
    monthly=False,
)

DATA_DICTIONARY = Table(
    group="published",
    name="data_dictionary",
    grain="published table and column",
    description="Every column of every published table: type, unit, meaning, and the table's grain and key.",
    columns=(
        Column("table_name", pl.String, "The table."),
        Column("position", pl.Int32, "The column's place in the table, from 0."),
        Column("column_name", pl.String, "The column."),
        Column("type", pl.String, "Its type in the warehouse."),
        Column("unit", pl.String, "Its unit, where it has one.", nullable=True),
        Column("meaning", pl.String, "What it says."),
        Column("may_be_absent", pl.Boolean, "Whether a row may lack it."),
        Column("is_key", pl.Boolean, "Whether it belongs to the key, of which each value occurs once."),
        Column("refers_to", pl.String, "The table and column that explain its values, if any.", nullable=True),
        Column("grain", pl.String, "What one row of the table is."),
        Column("table_description", pl.String, "What the table is."),
        Column("warnings", pl.String, "What is easily got wrong with the table.", nullable=True),
    ),
    key=("table_name", "column_name"),
    monthly=False,
)

DATA_CHECKS = Table(
    group="published",
    name="data_checks",
    grain="table of the chain and check",
    description="Every check that a month's tables must pass before the month is published, and those that only warn.",
    columns=(
        Column("table_name", pl.String, "The table."),
        Column("check_name", pl.String, "The check."),
        Column("severity", pl.String, "`critical` stops publication, `warning` is shown."),
        Column("expected", pl.String, "What is expected, in words."),
    ),
    key=("table_name", "check_name"),
    monthly=False,
)

TABLES = (MONTH_SEALS,)
"""The tables of this group that live in the lake; the others are made for the warehouse alone."""

PUBLISHED_TABLES = (
    COVERAGE,
    DIM_MONTH,
    DIM_COUNTRY,
    DIM_ORGANIZATION,
    DIM_MODEL,
    MODEL_MONTH,
    MODEL_ORIGIN_MONTH,
    CENSUS,
    DATA_DICTIONARY,
    DATA_CHECKS,
)
"""What is published beside the marts of group `shares`."""
