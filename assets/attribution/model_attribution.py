"""`attribution/model_attribution`: the developer of every repository, by its uploader."""

import dagster as dg
import polars as pl

from assets.attribution.developers import DEVELOPER, METHOD, attribute
from assets.attribution.organizations import ORGANIZATIONS
from assets.columns import COUNTRY_PATTERN, HUB_ID, MODEL_ID, MONTH, NAMESPACE
from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from pipeline.checks.rules import all_found
from pipeline.orchestration.partitions import month_of
from pipeline.orchestration.resources import RegistryResource
from pipeline.orchestration.table_assets import inputs, table_asset
from pipeline.schema.declaration import Column, Table

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
        *DEVELOPER,
        Column("organization_today", pl.String, "The organisation by the registry's latest row."),
        Column("country_today", pl.String, "The country by the registry's latest row.", pattern=COUNTRY_PATTERN),
        METHOD,
        Column("registry_row", pl.String, "The row applied: namespace (or model) and `valid_from`.", nullable=True),
    ),
    key=("hub_id",),
    rules=(
        all_found(
            "every_model_attributed_once",
            "Every repository of the snapshot has exactly one attribution.",
            "listings/hub_snapshots.hub_id",
            among="attribution/model_attribution.hub_id",
        ),
    ),
)


@table_asset(MODEL_ATTRIBUTION, ins=inputs(snapshot=HUB_SNAPSHOTS, accounts=HUB_ACCOUNTS), deps=[ORGANIZATIONS])
def model_attribution(
    context: dg.AssetExecutionContext, snapshot: pl.LazyFrame, accounts: pl.LazyFrame, registry: RegistryResource
) -> pl.LazyFrame:
    """The developer of every repository, by its uploader."""
    read = registry.read()
    context.add_output_metadata({"made_by": {"registry": read.digest}})
    return attribute(
        snapshot.select("month", "hub_id", "model_id", "namespace"),
        month_of(context),
        registry=read.organizations.lazy(),
        canonical_models=read.canonical_models.lazy(),
        accounts=accounts,
    )
