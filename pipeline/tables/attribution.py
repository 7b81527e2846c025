"""Group `attribution`: who stands behind a namespace, and in which country."""

from __future__ import annotations

import polars as pl

from pipeline.reference.registry_rules import RULES, RegistryRule
from pipeline.schema.declaration import DECIMAL, Column, Measure, Rule, Table, TableFrames
from pipeline.tables.columns import (
    ACCOUNT_BASIS,
    COUNTRY,
    COUNTRY_PATTERN,
    DEVELOPER_KIND,
    DEVELOPER_KINDS,
    HUB_ID,
    MODEL_ID,
    MONTH,
    NAMESPACE,
    ORGANIZATION,
    ROW_BASIS,
    ULTIMATE_OWNER,
    ULTIMATE_OWNER_COUNTRY,
)
from pipeline.tables.coverage_rules import covers_snapshot


def _as_rule(rule: RegistryRule) -> Rule:
    return Rule(
        rule.name,
        rule.meaning,
        lambda frames: rule.offenders(frames.scan("attribution/organizations")),
        rule.severity,
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
        ULTIMATE_OWNER,
        ULTIMATE_OWNER_COUNTRY,
        Column(
            "evidence",
            pl.String,
            "The address that supports the row if it is `read`, else one where it can be checked.",
        ),
        ROW_BASIS,
        ACCOUNT_BASIS,
        Column("checked_on", pl.Date, "The day on which the evidence was read.", nullable=True),
        Column("note", pl.String, "What a reader should know: disputes, changes, choices.", nullable=True),
    ),
    key=("namespace", "valid_from"),
    monthly=False,
    rules=tuple(_as_rule(rule) for rule in RULES),
)


UNMAPPED = "unmapped"
METHODS = ("registry", "canonical_models", "account", UNMAPPED)

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
        Column(
            "kind",
            pl.String,
            "Kind of developer in the registry's words; `unmapped` where it has no row.",
            values=(*DEVELOPER_KINDS, "unmapped"),
        ),
        Column("organization_today", pl.String, "The organisation by the registry's latest row."),
        Column("country_today", pl.String, "The country by the registry's latest row.", pattern=COUNTRY_PATTERN),
        Column(
            "method",
            pl.String,
            "`registry`, `canonical_models`, `account` (the Hub says it is a person's), or `unmapped`.",
            values=METHODS,
        ),
        Column("registry_row", pl.String, "The row applied: namespace (or model) and `valid_from`.", nullable=True),
    ),
    key=("hub_id",),
    rules=(
        covers_snapshot(
            "every_model_attributed_once",
            "Every repository of the snapshot has exactly one attribution.",
            "attribution/model_attribution",
        ),
    ),
)


LEAST_ATTRIBUTED = 0.5
LARGEST_FALL = 0.02
LARGE_SHARE = 0.01
"""A namespace with this share of a month's downloads moves a country's figure by as much."""


def attributed_share(coverage: pl.LazyFrame) -> pl.LazyFrame:
    """Share of the month's downloads that are not `unmapped` (1 where nothing was downloaded); one cell."""
    unmapped = pl.col("downloads").filter(pl.col("method") == UNMAPPED).sum().cast(pl.Float64)
    total = pl.col("downloads").sum().cast(pl.Float64)
    share = pl.when(total > 0).then(1.0 - unmapped / total).otherwise(1.0)
    return coverage.select(share.alias("attributed_share_of_downloads"))


def _change_in_attributed_share(frames: TableFrames) -> pl.LazyFrame:
    path = "attribution/attribution_coverage"
    now, before = attributed_share(frames.scan(path)), frames.scan_previous(path)
    earlier = attributed_share(before).rename({"attributed_share_of_downloads": "earlier"})
    return pl.concat([now, earlier], how="horizontal").select(
        (pl.col("attributed_share_of_downloads") - pl.col("earlier")).alias("change")
    )


def unmapped_namespaces(downloads: pl.LazyFrame, attribution: pl.LazyFrame) -> pl.LazyFrame:
    """Models and downloads of each namespace that nothing is known of; models without one stand for themselves."""
    return (
        attribution.filter(pl.col("method") == UNMAPPED)
        .select("hub_id", pl.coalesce("namespace", "model_id").alias("namespace"))
        .join(downloads.select("hub_id", "downloads"), on="hub_id")
        .group_by("namespace")
        .agg(pl.len().alias("models"), pl.col("downloads").sum())
    )


def _newly_large_unmapped(frames: TableFrames) -> pl.LazyFrame:
    """Unmapped namespaces with a large share of this month's downloads that had none as large in the month before."""
    downloads, attribution = "listings/model_downloads", "attribution/model_attribution"
    large = _large(frames.scan(downloads), frames.scan(attribution))
    downloads_before, attribution_before = frames.scan_previous(downloads), frames.scan_previous(attribution)
    return large.join(_large(downloads_before, attribution_before), on="namespace", how="anti")


def _large(downloads: pl.LazyFrame, attribution: pl.LazyFrame) -> pl.LazyFrame:
    total = downloads.select(pl.col("downloads").sum().alias("total"))
    return (
        unmapped_namespaces(downloads, attribution)
        .join(total, how="cross")
        .filter(pl.col("downloads") >= LARGE_SHARE * pl.col("total"))
        .filter(pl.col("total") > 0)
        .select(
            "namespace",
            "models",
            "downloads",
            (pl.col("downloads").cast(pl.Float64) / pl.col("total").cast(pl.Float64)).alias("share_of_downloads"),
        )
    )


ATTRIBUTION_COVERAGE = Table(
    group="attribution",
    name="attribution_coverage",
    grain="attribution method and developer kind",
    description="How much of the month rests on which rule of attribution.",
    columns=(
        MONTH,
        Column("method", pl.String, "The rule that decided, as in `attribution/model_attribution`.", values=METHODS),
        Column("kind", pl.String, "Kind of developer, `unmapped` where unknown."),
        Column("models", pl.Int64, "Repositories.", "repositories", minimum=0),
        Column("downloads", DECIMAL, "Downloads in the month.", "downloads", minimum=0),
        Column("share_of_downloads", pl.Float64, "Share of the month's downloads.", "fraction", minimum=0, maximum=1),
    ),
    key=("method", "kind"),
    rules=(
        Rule(
            "no_newly_large_unmapped_namespace",
            f"No unmapped namespace has newly reached {LARGE_SHARE:.0%} of the month's downloads (else: place it).",
            _newly_large_unmapped,
            severity="warning",
        ),
    ),
    measures=(
        Measure(
            "attributed_share_of_downloads",
            "Share of the month's downloads whose developer is known to be an organisation or a person.",
            lambda frames: attributed_share(frames.scan("attribution/attribution_coverage")),
            minimum=LEAST_ATTRIBUTED,
        ),
        Measure(
            "change_in_attributed_share",
            "Change of the attributed share of downloads since the month before.",
            _change_in_attributed_share,
            minimum=-LARGEST_FALL,
            severity="warning",
        ),
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
        Column(
            "kind",
            pl.String,
            "Kind of developer in the registry's words; `unmapped` where it has no row.",
            values=(*DEVELOPER_KINDS, "unmapped"),
        ),
        Column("method", pl.String, "The rule that decided, as in `attribution/model_attribution`.", values=METHODS),
    ),
    key=("root_model_id",),
    may_be_empty=True,
)

TABLES = (ORGANIZATIONS, MODEL_ATTRIBUTION, ATTRIBUTION_COVERAGE, ROOT_ATTRIBUTION)
