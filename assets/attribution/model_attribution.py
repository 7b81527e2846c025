"""`attribution/model_attribution` and `attribution/root_attribution`: the developers of repositories and of roots.

The policy is `docs/methodology.md`, section "Who made it".
"""

from datetime import date

import dagster as dg
import polars as pl

from assets.attribution.organizations import ORGANIZATIONS, current_rows
from assets.columns import COUNTRY_PATTERN, DEVELOPER_KINDS, MODEL, MONTH, NAMESPACE, UPLOADER, text
from assets.expressions import holds_in_month, namespace_of
from assets.lineage.derivations import DERIVATIONS
from assets.lineage.origin_weights import ORIGIN_WEIGHTS
from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS, covers_snapshot
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import RegistryResource
from pipeline.orchestration.table_assets import table_asset
from pipeline.schema.declaration import Table

UNMAPPED = "unmapped"
METHODS = ("registry", "canonical_models", "account", UNMAPPED)
METHOD = text("method", "Rule that decided: `registry`, `canonical_models`, `account` or `unmapped`.", values=METHODS)
DEVELOPER = (
    *UPLOADER,
    text("kind", "Kind of developer; `unmapped` where the registry has no row.", values=(*DEVELOPER_KINDS, UNMAPPED)),
)
"""The columns that say who a developer is."""
_WITHOUT_NAMESPACE = pl.concat_str(pl.lit("/"), "model_id")
"""Who is to be decided about is named by the namespace or, with a slash before it, by the model that has none."""

MODEL_ATTRIBUTION = Table(
    "attribution/model_attribution",
    grain="public model repository at the month's close",
    description=(
        "The developer of each repository by its uploader: the registry's row for namespace and month; else the list "
        "of models without a namespace; else a person's account is `unaffiliated`; everything else is `unmapped`."
    ),
    columns=(
        MONTH,
        *MODEL,
        NAMESPACE.optional(),
        *DEVELOPER,
        text("organization_today", "The organisation by the registry's latest row."),
        text("country_today", "The country by the registry's latest row.", pattern=COUNTRY_PATTERN),
        METHOD,
        text("registry_row", "The row applied: namespace (or model) and `valid_from`.", nullable=True),
    ),
    key=("hub_id",),
    rules=(covers_snapshot("attribution/model_attribution", "every_model_attributed_once"),),
)
ROOT_ATTRIBUTION = Table(
    "attribution/root_attribution",
    grain="root of a derivation graph, listed or not",
    description="The developer of each root. A deleted or private one still has a namespace, and so a developer.",
    columns=(
        MONTH,
        text("root_model_id", "The root's name."),
        NAMESPACE.optional(),
        *DEVELOPER,
        METHOD,
    ),
    key=("root_model_id",),
    may_be_empty=True,
)


def attribute(
    models: pl.LazyFrame,
    month: date,
    *,
    registry: pl.LazyFrame,
    canonical_models: pl.LazyFrame,
    accounts: pl.LazyFrame,
) -> pl.LazyFrame:
    """The developer of each model in a month.

    `models` has `model_id` and `namespace` (null for names without one) and keeps its other columns. In this order: the
    registry's row that is valid on the month's first day; the list of models without a namespace; a person's account is
    `unaffiliated`; everything else is `unmapped`. A registry row of kind `individual` is `unaffiliated` too: no country
    is assigned to persons. By the registry's latest rows it adds `organization_today` and `country_today`.
    """
    valid = registry.with_columns(pl.lit(month).alias("month")).filter(holds_in_month())
    in_month = _known(valid, canonical_models, accounts)
    today = _known(current_rows(registry), canonical_models, accounts).select(
        "developer", pl.col("organization", "country").name.suffix("_today")
    )
    known = in_month.join(today, on="developer", how="full", coalesce=True)
    decided = known.collect_schema().names()
    return (
        models.with_columns(developer=pl.coalesce("namespace", _WITHOUT_NAMESPACE))
        .join(known, on="developer", how="left")
        .with_columns(pl.col(name).fill_null(UNMAPPED) for name in decided if name not in {"developer", "registry_row"})
        .drop("developer")
    )


def _known(registry: pl.LazyFrame, canonical_models: pl.LazyFrame, accounts: pl.LazyFrame) -> pl.LazyFrame:
    """What the rules say of each developer that any of them knows: some ten thousands, where models are millions."""
    by_registry = registry.with_columns(developer="namespace", method=pl.lit("registry"))
    by_name = canonical_models.with_columns(developer=_WITHOUT_NAMESPACE, method=pl.lit("canonical_models"))
    persons = accounts.filter(account_type="person").select(
        developer="namespace", method=pl.lit("account"), kind=pl.lit("individual")
    )
    is_no_person = pl.col("kind").ne_missing(pl.lit("individual"))
    stated = pl.concat([by_registry, by_name, persons], how="diagonal")
    # Whoever is in the registry is what it says, whatever the Hub says of the account.
    return stated.select(
        *("developer", "kind", "method"),
        pl.when(is_no_person).then(pl.col("organization", "country")).otherwise(pl.lit("unaffiliated")),
        registry_row(pl.coalesce("namespace", "model_id")),
    ).unique("developer", keep="first", maintain_order=True)


def registry_row(name: pl.Expr) -> pl.Expr:
    """How a row of the registry is named where it is applied: `Qwen since 2025-01-01`, `Qwen, no start date`."""
    since = pl.lit(" since ") + pl.col("valid_from").cast(pl.String)
    return pl.concat_str(name, since.fill_null(", no start date")).alias("registry_row")


def all_roots(weights: pl.LazyFrame, derivations: pl.LazyFrame) -> pl.LazyFrame:
    """`model_id` and `namespace` of the roots in `lineage/origin_weights` and of every unlisted parent, each once.

    An unlisted parent is always a root, but a rule may pass it over.
    """
    weighted = weights.select("namespace", model_id="root_model_id").unique()
    parent = pl.col("parent_model_id")
    unlisted = derivations.filter(~pl.col("parent_listed")).select(namespace=namespace_of(parent), model_id=parent)
    return pl.concat([weighted, unlisted]).unique("model_id")


@table_asset(MODEL_ATTRIBUTION, snapshot=HUB_SNAPSHOTS, accounts=HUB_ACCOUNTS, deps=[ORGANIZATIONS])
def model_attribution(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, accounts: pl.LazyFrame, registry: RegistryResource
) -> pl.LazyFrame:
    """The developer of every repository, by its uploader."""
    return _attributed(context, snapshot.select("hub_id", "model_id", "namespace"), accounts, registry)


@table_asset(
    ROOT_ATTRIBUTION,
    weights=ORIGIN_WEIGHTS,
    derivations=DERIVATIONS,
    accounts=HUB_ACCOUNTS,
    deps=[ORGANIZATIONS],
)
def root_attribution(
    context: dg.AssetExecutionContext,
    weights: pl.LazyFrame,
    derivations: pl.LazyFrame,
    accounts: pl.LazyFrame,
    registry: RegistryResource,
) -> pl.LazyFrame:
    """The developer of every root, listed or not."""
    roots = _attributed(context, all_roots(weights, derivations), accounts, registry)
    return roots.rename({"model_id": "root_model_id"})


def _attributed(
    context: dg.AssetExecutionContext, models: pl.LazyFrame, accounts: pl.LazyFrame, registry: RegistryResource
) -> pl.LazyFrame:
    read, month = registry.read(), month_of(context)
    context.add_output_metadata({"made_by": {"registry": read.digest}})
    return attribute(
        models.with_columns(pl.lit(month).alias("month")),
        month,
        registry=read.organizations.lazy(),
        canonical_models=read.canonical_models.lazy(),
        accounts=accounts,
    )
