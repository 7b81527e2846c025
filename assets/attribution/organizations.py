"""`attribution/organizations`: the reviewed registry as the census reads it."""

from functools import partial

import dagster as dg
import polars as pl

from assets.columns import DEVELOPER_KIND, NAMESPACE, ORGANIZATION, text
from pipeline.checks.rules import none_where
from pipeline.orchestration.resources import RegistryResource
from pipeline.orchestration.table_assets import table_asset
from pipeline.reference.registry_rules import RULES
from pipeline.schema.declaration import Column, Table

_country = partial(text, nullable=True, refers_to="dim_country")
ORGANIZATIONS = Table(
    "attribution/organizations",
    grain="namespace and period of validity",
    description="The reviewed registry: which organisation stands behind a namespace, and where its headquarters are.",
    columns=(
        NAMESPACE,
        ORGANIZATION,
        text("country", "ISO 3166-1 code of the headquarters, or `international`; absent for persons.", nullable=True),
        DEVELOPER_KIND,
        text("parent", "The organisation that owns this one.", nullable=True),
        Column("valid_from", pl.Date, "First day on which the row holds; empty means no start date.", nullable=True),
        Column("valid_to", pl.Date, "First day on which it no longer holds; empty means current.", nullable=True),
        text("ultimate_owner", "The final owner, itself if nobody owns it; absent where not stated.", nullable=True),
        _country("ultimate_owner_country", "The country of the ultimate owner's headquarters."),
        _country("announced_owner_country", "The ultimate owner's country, counting announced purchases."),
        _country("legal_country", "Where it is registered; absent where that is not stated."),
        text("evidence", "The address that supports the row if it is `read`, else one where it can be checked."),
        text("basis", "How the headquarters are known: `read` (the evidence says so) or `well_known`."),
        text("account_basis", "How the account's owner is known: as `basis`, or by its `own_name`.", nullable=True),
        Column("checked_on", pl.Date, "The day on which the evidence was read.", nullable=True),
        text("note", "What a reader should know: disputes, changes, choices.", nullable=True),
    ),
    key=("namespace", "valid_from"),
    monthly=False,
    rules=tuple(
        none_where("attribution/organizations", rule.name, rule.meaning, rule.is_broken, rule.severity)
        for rule in RULES
    ),
)


@table_asset(ORGANIZATIONS)
def organizations(context: dg.AssetExecutionContext, registry: RegistryResource) -> pl.DataFrame:
    """The reviewed registry as the census reads it."""
    read = registry.read()
    context.add_output_metadata({"made_by": {"registry": read.digest}})
    return read.organizations


def current_rows(registry: pl.LazyFrame) -> pl.LazyFrame:
    """The latest row of each namespace."""
    return registry.sort("valid_from", nulls_last=False).unique("namespace", keep="last")
