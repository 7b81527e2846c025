"""Group `attribution`: who stands behind a namespace, and in which country."""

from __future__ import annotations

import polars as pl

from pipeline.tables.columns import (
    COUNTRY,
    COUNTRY_PATTERN,
    DEVELOPER_KIND,
    DEVELOPER_KINDS,
    HUB_ID,
    MODEL_ID,
    MONTH,
    NAMESPACE,
    ORGANIZATION,
)
from pipeline.tables.declaration import Column, Expectation, Measure, Rule, Table, TableFrames


def overlapping_periods(registry: pl.LazyFrame) -> pl.LazyFrame:
    """Registry rows that begin before the namespace's previous row has ended."""
    previous_end = pl.col("valid_to").fill_null(pl.date(9999, 1, 1)).shift(1).over("namespace")
    begin = pl.col("valid_from").fill_null(pl.date(1, 1, 1))
    return (
        registry.sort("namespace", "valid_from", nulls_last=False)
        .filter(previous_end.is_not_null() & (begin < previous_end))
        .select("namespace", "organization", "valid_from", "valid_to")
    )


ORGANIZATIONS = Table(
    group="attribution",
    name="organizations",
    grain="namespace and period of validity",
    description="The reviewed registry: which organisation stands behind a namespace, and where its headquarters are.",
    columns=(
        NAMESPACE,
        ORGANIZATION,
        Column(
            "country",
            pl.String,
            "ISO 3166-1 alpha-2 code of the headquarters, `international` where there is no single base; absent for "
            "persons, to whom no country is assigned.",
            nullable=True,
        ),
        DEVELOPER_KIND,
        Column("parent", pl.String, "The organisation that owns this one.", nullable=True),
        Column("valid_from", pl.Date, "First day on which the row holds; absent: since ever.", nullable=True),
        Column("valid_to", pl.Date, "First day on which the row holds no longer; absent: still.", nullable=True),
        Column("evidence", pl.String, "A public address that supports the row."),
        Column("basis", pl.String, "`read`: the address was opened and says it; `well_known`: common knowledge."),
        Column("checked_on", pl.Date, "The day on which the evidence was read.", nullable=True),
        Column("note", pl.String, "What a reader should know: disputes, changes, choices.", nullable=True),
    ),
    key=("namespace", "valid_from"),
    monthly=False,
    expectations=(
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "country", "regex": r"^([A-Z]{2}|international)$"}),
        Expectation("ExpectColumnValuesToBeInSet", {"column": "kind", "value_set": list(DEVELOPER_KINDS)}),
        Expectation("ExpectColumnValuesToBeInSet", {"column": "basis", "value_set": ["read", "well_known"]}),
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "evidence", "regex": r"^https?://\S+$"}),
    ),
    rules=(
        Rule(
            "periods_do_not_overlap",
            "No namespace belongs to two organisations at once.",
            lambda frames: overlapping_periods(frames.scan("attribution/organizations")),
        ),
    ),
)


def attributed_share(frames: TableFrames) -> pl.LazyFrame:
    """Share of the month's downloads that are not `unmapped` (1 where nothing was downloaded); one cell."""
    downloads = frames.scan("listings/model_downloads").select("hub_id", "downloads")
    attribution = frames.scan("attribution/model_attribution").select("hub_id", "country")
    attributed = pl.col("downloads").filter(pl.col("country") != "unmapped").sum()
    total = pl.col("downloads").sum()
    return downloads.join(attribution, on="hub_id").select(
        pl.when(total > 0).then(attributed / total).otherwise(1.0).alias("attributed_share_of_downloads")
    )


METHODS = ("registry", "canonical_models", "account", "unmapped")

MODEL_ATTRIBUTION = Table(
    group="attribution",
    name="model_attribution",
    grain="public model repository at the month's close",
    description=(
        "The developer of each repository by its uploader: the registry's row for namespace and month; else the list "
        "of models without a namespace; else a person's account is `unaffiliated`; everything else is `unmapped`."
    ),
    columns=(
        MONTH,
        HUB_ID,
        MODEL_ID,
        NAMESPACE.optional(),
        Column(
            "organization",
            pl.String,
            "The organisation in that month; `unaffiliated` for persons, `unmapped` where the registry has no row.",
        ),
        COUNTRY,
        Column("kind", pl.String, "Kind of developer in the registry's words; `unmapped` where it has no row."),
        Column("organization_today", pl.String, "The organisation by the registry's latest row."),
        Column("country_today", pl.String, "The country by the registry's latest row."),
        Column(
            "method",
            pl.String,
            "`registry`, `canonical_models`, `account` (the Hub says it is a person's), or `unmapped`.",
        ),
        Column("registry_row", pl.String, "The row applied: namespace (or model) and `valid_from`.", nullable=True),
    ),
    key=("hub_id",),
    expectations=(
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "country", "regex": COUNTRY_PATTERN}),
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "country_today", "regex": COUNTRY_PATTERN}),
        Expectation("ExpectColumnValuesToBeInSet", {"column": "method", "value_set": list(METHODS)}),
        Expectation("ExpectColumnValuesToBeInSet", {"column": "kind", "value_set": [*DEVELOPER_KINDS, "unmapped"]}),
    ),
    rules=(
        Rule(
            "every_model_attributed_once",
            "Every repository of the snapshot has exactly one attribution.",
            lambda frames: (
                frames.scan("listings/hub_snapshots")
                .select("hub_id")
                .join(frames.scan("attribution/model_attribution").select("hub_id"), on="hub_id", how="anti")
            ),
        ),
    ),
    measures=(
        Measure(
            "attributed_share_of_downloads",
            "Share of the month's downloads whose developer is known to be an organisation or a person.",
            attributed_share,
            minimum=0.5,
        ),
    ),
)


ATTRIBUTION_COVERAGE = Table(
    group="attribution",
    name="attribution_coverage",
    grain="attribution method and developer kind",
    description="How much of the month rests on which rule of attribution.",
    columns=(
        MONTH,
        Column("method", pl.String, "The rule that decided, as in `attribution/model_attribution`."),
        Column("kind", pl.String, "Kind of developer, `unmapped` where unknown."),
        Column("models", pl.Int64, "Repositories.", "repositories"),
        Column("downloads", pl.Float64, "Downloads in the month.", "downloads"),
        Column("share_of_downloads", pl.Float64, "Share of the month's downloads.", "fraction"),
    ),
    key=("method", "kind"),
    expectations=(
        Expectation("ExpectColumnValuesToBeBetween", {"column": "share_of_downloads", "min_value": 0, "max_value": 1}),
    ),
)

ROOT_ATTRIBUTION = Table(
    group="attribution",
    name="root_attribution",
    grain="root of a derivation graph, listed or not",
    description=(
        "The developer of each root that some repository derives from. A root that is deleted or private still has a "
        "namespace, and so a developer."
    ),
    columns=(
        MONTH,
        Column("root_model_id", pl.String, "The root's name."),
        NAMESPACE.optional(),
        ORGANIZATION,
        COUNTRY,
        Column("kind", pl.String, "Kind of developer in the registry's words; `unmapped` where it has no row."),
        Column("method", pl.String, "The rule that decided, as in `attribution/model_attribution`."),
    ),
    key=("root_model_id",),
    may_be_empty=True,
    expectations=(
        Expectation("ExpectColumnValuesToMatchRegex", {"column": "country", "regex": COUNTRY_PATTERN}),
        Expectation("ExpectColumnValuesToBeInSet", {"column": "method", "value_set": list(METHODS)}),
    ),
)

TABLES = (ORGANIZATIONS, MODEL_ATTRIBUTION, ATTRIBUTION_COVERAGE, ROOT_ATTRIBUTION)
