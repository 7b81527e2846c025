"""The columns that several tables share: one name, one meaning, one unit everywhere."""

from __future__ import annotations

from typing import Any

import polars as pl

from pipeline.reference import registry_rules
from pipeline.schema.declaration import TIMESTAMP, Column


def count(name: str, meaning: str, unit: str = "repositories", **more: Any) -> Column:
    """A column of whole numbers."""
    return Column(name, pl.Int64, meaning, unit, **more)


def number(name: str, meaning: str, unit: str, **more: Any) -> Column:
    """A column of doubles."""
    return Column(name, pl.Float64, meaning, unit, **more)


DEVELOPER_KINDS = registry_rules.KINDS
MEMBERS_NOT_COUNTRIES = registry_rules.MEMBERS_NOT_COUNTRIES
BASES = ("all_time_delta", "rolling_30d")
RELATIONS = ("finetune", "adapter", "merge", "quantized", "unknown")
COUNTRY_PATTERN = r"^([A-Z]{2}|international|unaffiliated|unmapped)$"

MONTH = Column("month", pl.Date, "The calendar month (UTC) that the row describes, by its first day.")
HUB_ID = Column(
    "hub_id",
    pl.String,
    "The Hub's immutable id of the repository, or its name where the source has no ids.",
)
MODEL_ID = Column("model_id", pl.String, "The repository's name when the month was observed, `namespace/name`.")
NAMESPACE = Column(
    "namespace", pl.String, "The account that holds the repository; absent for the Hub's oldest repositories."
)
CREATED_AT = Column("created_at", TIMESTAMP, "When the repository was created, as the Hub states it.", "UTC")
OBSERVED_AT = Column("observed_at", TIMESTAMP, "When the source observed the Hub.", "UTC")
SOURCE = Column("source", pl.String, "The snapshot source that was read.")
SOURCE_REVISION = Column(
    "source_revision", pl.String, "The exact state of the source: a commit, a crawl's id or a file's digest."
)
DOWNLOADS_30D = Column(
    "downloads_30d",
    pl.Int64,
    "Downloads in the 30 days before the observation, as the Hub counts them.",
    "downloads",
    minimum=0,
)
DOWNLOADS_ALL_TIME = Column(
    "downloads_all_time",
    pl.Int64,
    "All downloads of the repository so far, as the Hub counts them.",
    "downloads",
    minimum=0,
)
ORGANIZATION = Column("organization", pl.String, "The organisation behind the namespace in that month.")
COUNTRY = Column(
    "country",
    pl.String,
    "ISO 3166-1 alpha-2 code of the organisation's headquarters, or one of the members that are not countries: "
    "`international`, `unaffiliated` (a person's account), `unmapped` (an organisation not in the registry).",
    pattern=COUNTRY_PATTERN,
)
ULTIMATE_OWNER = Column(
    "ultimate_owner",
    pl.String,
    "The organisation's final owner, itself if nobody owns it; absent for persons and where it is not stated.",
    nullable=True,
)
ULTIMATE_OWNER_COUNTRY = Column(
    "ultimate_owner_country", pl.String, "The country of the ultimate owner's headquarters.", nullable=True
)
ANNOUNCED_OWNER_COUNTRY = Column(
    "announced_owner_country",
    pl.String,
    "The ultimate owner's country, with purchases counted from their announcement.",
    nullable=True,
)
LEGAL_COUNTRY = Column(
    "legal_country",
    pl.String,
    "The country where the organisation is registered; absent where it is not stated.",
    nullable=True,
)
ROW_BASIS = Column(
    "basis",
    pl.String,
    "How the headquarters are known: `read` (the evidence was opened and says so) or `well_known`.",
)
ACCOUNT_BASIS = Column(
    "account_basis",
    pl.String,
    "How the account's owner is known: `read`, `own_name` (it has the organisation's name) or `well_known`; absent "
    "where it is not stated.",
    nullable=True,
)
DEVELOPER_KIND = Column("kind", pl.String, "What the developer is: company, university, community, individual, ...")
BASIS = Column(
    "basis",
    pl.String,
    "The counter that the downloads come from: `all_time_delta`, `rolling_30d`, or `mixed` in a period whose months "
    "differ.",
    values=BASES,
)
RELATION = Column(
    "relation",
    pl.String,
    "How the derivative was made: finetune, adapter, merge, quantized or unknown.",
    values=RELATIONS,
)
