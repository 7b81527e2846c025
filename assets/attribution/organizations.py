"""`attribution/organizations`: the reviewed registry as the census reads it."""

import dagster as dg
import polars as pl

from assets import columns
from pipeline.checks.rules import none_where
from pipeline.orchestration.resources import RegistryResource
from pipeline.orchestration.table_assets import table_asset
from pipeline.reference.registry_rules import RULES
from pipeline.schema.declaration import Column, Table

ORGANIZATIONS = Table(
    group="attribution",
    name="organizations",
    grain="namespace and period of validity",
    description="The reviewed registry: which organisation stands behind a namespace, and where its headquarters are.",
    columns=(
        columns.NAMESPACE,
        columns.ORGANIZATION,
        Column(
            "country",
            pl.String,
            "ISO 3166-1 alpha-2 code of the headquarters, `international` where there is no single base; absent for "
            "persons, to whom no country is assigned.",
            nullable=True,
        ),
        columns.DEVELOPER_KIND,
        Column("parent", pl.String, "The organisation that owns this one.", nullable=True),
        Column("valid_from", pl.Date, "First day on which the row holds; empty means no start date.", nullable=True),
        Column("valid_to", pl.Date, "First day on which it no longer holds; empty means current.", nullable=True),
        columns.text(
            "ultimate_owner",
            "The organisation's final owner, itself if nobody owns it; absent for persons and where it is not stated.",
            nullable=True,
        ),
        columns.text("ultimate_owner_country", "The country of the ultimate owner's headquarters.", nullable=True),
        columns.text(
            "announced_owner_country",
            "The ultimate owner's country, with purchases counted from their announcement.",
            nullable=True,
        ),
        columns.text(
            "legal_country",
            "The country where the organisation is registered; absent where it is not stated.",
            nullable=True,
        ),
        Column(
            "evidence",
            pl.String,
            "The address that supports the row if it is `read`, else one where it can be checked.",
        ),
        columns.text(
            "basis", "How the headquarters are known: `read` (the evidence was opened and says so) or `well_known`."
        ),
        columns.text(
            "account_basis",
            "How the account's owner is known: `read`, `own_name` (it has the organisation's name) or `well_known`; "
            "absent where it is not stated.",
            nullable=True,
        ),
        Column("checked_on", pl.Date, "The day on which the evidence was read.", nullable=True),
        Column("note", pl.String, "What a reader should know: disputes, changes, choices.", nullable=True),
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
