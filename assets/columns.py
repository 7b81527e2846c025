"""The columns that several tables share: one name, one meaning, one unit everywhere."""

from dataclasses import replace
from typing import Any

import polars as pl

from pipeline.reference import registry_rules
from pipeline.schema.declaration import DECIMAL, TIMESTAMP, Column
from pipeline.schema.shares import ATTRIBUTIONS, PERIODS, POPULATION_NAMES, POPULATIONS


def count(name: str, meaning: str, unit: str = "repositories", **more: Any) -> Column:
    """A column of whole numbers."""
    return Column(name, pl.Int64, meaning, unit, **more)


def number(name: str, meaning: str, unit: str, **more: Any) -> Column:
    """A column of doubles."""
    return Column(name, pl.Float64, meaning, unit, **more)


def text(name: str, meaning: str, **more: Any) -> Column:
    """A column of texts."""
    return Column(name, pl.String, meaning, **more)


def boolean(name: str, meaning: str, **more: Any) -> Column:
    """A column of what is true or false."""
    return Column(name, pl.Boolean, meaning, **more)


def fraction(name: str, meaning: str, minimum: float | str = 0, maximum: float | str = 1) -> Column:
    """A column of parts of a whole."""
    return number(name, meaning, "fraction", minimum=minimum, maximum=maximum)


def downloads(meaning: str, name: str = "downloads") -> Column:
    """A column of exact downloads."""
    return Column(name, DECIMAL, meaning, "downloads", minimum=0)


DEVELOPER_KINDS = registry_rules.KINDS
MEMBERS_NOT_COUNTRIES = registry_rules.MEMBERS_NOT_COUNTRIES
BASES = ("all_time_delta", "rolling_30d")
RELATIONS = ("finetune", "adapter", "merge", "quantized", "unknown")
COUNTRY_PATTERN = r"^([A-Z]{2}|international|unaffiliated|unmapped)$"

MONTH = Column("month", pl.Date, "The calendar month (UTC), by its first day.", refers_to="dim_month")
HUB_ID = text("hub_id", "The Hub's immutable id of the repository, or its name where the source has no ids.")
MODEL_ID = text("model_id", "The repository's name when the month was observed, `namespace/name`.")
MODEL = (HUB_ID, MODEL_ID)
NAMESPACE = text("namespace", "The account that holds the repository; absent for the Hub's oldest repositories.")
CREATED_AT = Column("created_at", TIMESTAMP, "When the repository was created, as the Hub states it.", "UTC")
OBSERVED_AT = Column("observed_at", TIMESTAMP, "When the source observed the Hub.", "UTC")
PROVENANCE = (
    text("source", "The snapshot source that was read."),
    text("source_revision", "The exact state of the source: a commit, a crawl's id or a file's digest."),
)
DOWNLOADS_ALL_TIME = count("downloads_all_time", "All downloads so far.", "downloads", nullable=True, minimum=0)
ORGANIZATION = text("organization", "The organisation behind the namespace then.", refers_to="dim_organization")
COUNTRY = text(
    "country",
    "ISO 3166-1 alpha-2 code of the organisation's headquarters, or one of the members that are not countries: "
    "`international`, `unaffiliated` (a person's account), `unmapped` (an organisation not in the registry).",
    pattern=COUNTRY_PATTERN,
    refers_to="dim_country",
)
UPLOADER = (ORGANIZATION, COUNTRY)
DEVELOPER_KIND = text("kind", "What the developer is: company, university, community, individual, ...")
BASIS = text("basis", "The counter: `all_time_delta`, `rolling_30d`, or `mixed` over several months.", values=BASES)
RELATION = text("relation", "How it was made: finetune, adapter, merge, quantized or unknown.", values=RELATIONS)

POPULATION = text(
    "population",
    "; ".join(f"`{population.name}`: {population.meaning}" for population in POPULATIONS) + ".",
    values=POPULATION_NAMES,
)
PERIOD = text(
    "period",
    "`month`, `trailing_12_months`, `year_to_date` or `cumulative` (since the first published month), ending with "
    "`month`.",
    values=("month",),
    refers_to="dim_period",
)
MONTHS_IN_PERIOD = Column("months_in_period", pl.Int32, "Months that the period really holds.", "months")
IS_COMPLETE = boolean("is_complete", "Whether the period holds every month that its name promises.")
IN_PERIOD = (MONTH, PERIOD, MONTHS_IN_PERIOD, IS_COMPLETE)
IN_POPULATION = (*IN_PERIOD, POPULATION)
IN_LONGER = {"period": replace(PERIOD, values=PERIODS), "basis": replace(BASIS, values=(*BASES, "mixed"))}
"""What these columns are where rows are of longer periods too."""
IN_LONGER_PERIODS = tuple(IN_LONGER.get(column.name, column) for column in IN_PERIOD)
"""The columns that say which period a row is of, whatever the period."""
ATTRIBUTION = text("attribution", "`uploader`: who published the repository; `origin`: its roots.", values=ATTRIBUTIONS)
DIMENSION = text("dimension", "What the members are, such as `country`, `organization` or `licence`.")
WITHIN = text("within", "Whose downloads: `all`, or of one country by uploader.", pattern=r"^(all|[A-Z]{2}|[a-z]+)$")
DENOMINATOR = downloads("All downloads that are shared out.", "denominator")
SHARE = fraction("share", "`downloads` / `denominator`.")
OF_WHOLE = (DENOMINATOR, SHARE)
