"""Other maps from namespaces to countries, to hold ours against: declared variants of ours, registries, other lists."""

from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pycountry
from polars.exceptions import PolarsError

from pipeline.errors import CensusError
from pipeline.reference.countries import country_groups
from pipeline.reference.registry import Registry, read_registry
from pipeline.reference.registry_rules import COUNTRY_CODES, MEMBERS_NOT_COUNTRIES, PERSON

NOT_STATED = ("", "unknown", "other", "none", "n/a", "?")
"""What maps write where they name no country."""
VARIANTS: dict[str, tuple[str, pl.Expr]] = {
    "head_office": ("the head office: our map", pl.col("country")),
    "ultimate_owner": ("the head office of the ultimate owner", pl.coalesce("ultimate_owner_country", "country")),
    "legal_seat": ("the register of companies, where it is known", pl.coalesce("legal_country", "country")),
    "greater_china": ("the head office, China with Hong Kong and Macao", pl.col("country").replace(["HK", "MO"], "CN")),
    "announced_owner": (
        "the ultimate owner, purchases counted from their announcement",
        pl.coalesce("announced_owner_country", "country"),
    ),
}
"""Variants of the map: what each places an organisation by, and the country under it."""


@dataclass(frozen=True)
class CountryMap:
    """Another map, in our words.

    `rows` has the columns of `attribution/organizations` that attribution needs; `country` is an ISO code,
    `international` or a group, and null of persons. `open` are the namespaces for which the map names no country.
    `canonical_models` are the models without a namespace as the map has them. `groups` has the `group` and `country` of
    every group used. `has_periods` says whether the map tells what held when.
    """

    name: str
    rows: pl.DataFrame
    canonical_models: pl.DataFrame
    groups: pl.DataFrame
    open: tuple[str, ...] = ()
    has_periods: bool = True


def under_variant(registry: Registry, variant: str) -> Registry:
    """The registry with every organisation in the country that a declared variant gives it; persons keep none."""
    country = pl.when(pl.col("country").is_not_null()).then(VARIANTS[variant][1]).alias("country")
    placed = registry.organizations.with_columns(country)
    makers = placed.filter(pl.col("valid_to").is_null() & pl.col("country").is_not_null()).unique("organization")
    canonical = registry.canonical_models.join(
        makers.select("organization", moved="country"), on="organization", how="left", maintain_order="left"
    ).with_columns(pl.coalesce("moved", "country").alias("country"))
    return replace(registry, organizations=placed, canonical_models=canonical.drop("moved"))


def read_other(other: str, ours: Registry) -> CountryMap:
    """A variant of ours by its name, else a registry (a folder, or a file with periods), else a map in a CSV.

    Such a map has at least the columns namespace and country, in any case: countries are codes or names, groups words.

    Raises:
        CensusError: it is none of these, or cannot be understood.
    """
    path = Path(other)
    if other not in VARIANTS and not path.exists():
        raise CensusError(f"{other} is neither a file nor a variant: choose one of {', '.join(VARIANTS)}, or a CSV")
    if other not in VARIANTS and path.is_file():
        try:
            text = pl.read_csv(path, infer_schema=False)
        except (PolarsError, OSError) as error:
            raise CensusError(f"the map {path} cannot be read as CSV ({error}): check the file") from error
        if "valid_from" not in text.columns:
            return _country_map(path.name, text, ours)
    read = under_variant(ours, other) if other in VARIANTS else read_registry(path)
    return CountryMap(other, read.organizations, read.canonical_models, country_groups().clear())


def _country_map(name: str, text: pl.DataFrame, ours: Registry) -> CountryMap:
    groups = country_groups().filter(pl.col("valid_to").is_null()).select("group", "country")
    members = sorted({*MEMBERS_NOT_COUNTRIES, *groups["group"]})
    if missing := [column for column in ("namespace", "country") if column not in text.columns]:
        raise CensusError(f"{name}, line 1 lacks the columns {', '.join(missing)}: add them to the header")
    spelled = {namespace.lower(): namespace for namespace in ours.organizations["namespace"]}
    rows = text.select(
        pl.col("namespace").map_elements(lambda written: spelled.get(written.lower(), written), pl.String),
        "country",
        member=pl.col("country").fill_null("").map_elements(_member, pl.String),
    ).with_row_index("line", offset=2)
    for line in rows.filter(~pl.col("member").is_in([*COUNTRY_CODES, *members, *NOT_STATED])).head(1).to_dicts():
        raise CensusError(
            f"{name}, line {line['line']}: country {line['country']} is neither an ISO 3166-1 country nor a group: "
            f"write its alpha-2 code, or one of {', '.join(members)}"
        )
    for line in rows.filter(~pl.col("namespace").is_first_distinct()).head(1).to_dicts():
        raise CensusError(
            f"{name}, line {line['line']}: namespace {line['namespace']} is named a second time: keep one of its rows"
        )
    is_person, is_open = pl.col("member") == "unaffiliated", pl.col("member").is_in(NOT_STATED)
    placed = rows.filter(~is_open).select(
        "namespace",
        organization="namespace",
        country=pl.when(~is_person).then("member"),
        kind=pl.when(is_person).then(pl.lit(PERSON)).otherwise(pl.lit("company")),
        valid_from=pl.lit(None, pl.Date),
        valid_to=pl.lit(None, pl.Date),
    )
    used = groups.filter(pl.col("group").is_in(rows["member"].unique().implode()))
    left_open = tuple(rows.filter(is_open)["namespace"])
    return CountryMap(name, placed, ours.canonical_models, used, left_open, has_periods=False)


def _member(written: str) -> str:
    """The code of a country that is written as a code or a name, else the word in lower case."""
    try:
        return str(pycountry.countries.lookup(written.strip()).alpha_2)
    except LookupError:
        return written.strip().lower()
