"""Other maps from namespaces to countries, to hold ours against: declared variants of ours, registries, other lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
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
    return Registry(placed, canonical.drop("moved"), registry.digest)


def read_other(other: str, ours: Registry) -> CountryMap:
    """A variant of ours by its name, else a registry (a folder, or a file with periods), else a map in a CSV.

    Raises:
        CensusError: it is none of these, or cannot be understood.
    """
    path = Path(other)
    if other in VARIANTS:
        read = under_variant(ours, other)
    elif not path.exists():
        raise CensusError(f"{other} is neither a file nor a variant: choose one of {', '.join(VARIANTS)}, or a CSV")
    elif path.is_dir() or "valid_from" in _read_text(path).columns:
        read = read_registry(path)
    else:
        return _read_country_map(path, ours)
    return CountryMap(other, read.organizations, read.canonical_models, country_groups().clear())


def _read_country_map(path: Path, ours: Registry) -> CountryMap:
    """The map in a CSV with at least the columns namespace and country; countries and groups in any case."""
    groups = country_groups().filter(pl.col("valid_to").is_null()).select("group", "country")
    members = sorted({*MEMBERS_NOT_COUNTRIES, *groups["group"]})
    text = _read_text(path)
    if missing := [column for column in ("namespace", "country") if column not in text.columns]:
        raise CensusError(f"{path.name}, line 1 lacks the columns {', '.join(missing)}: add them to the header")
    written = pl.col("country").fill_null("").str.strip_chars()
    is_code = written.str.to_uppercase().is_in(list(COUNTRY_CODES))
    member = pl.when(is_code).then(written.str.to_uppercase()).otherwise(written.str.to_lowercase())
    rows = text.select("namespace", "country", member=member).with_row_index("line", offset=2)
    _refuse(
        path,
        rows.filter(~pl.col("member").is_in([*COUNTRY_CODES, *members, *NOT_STATED])),
        "country {country} is neither an ISO 3166-1 alpha-2 code nor a group: write a code, or one of "
        f"{', '.join(members)}",
    )
    _refuse(
        path,
        rows.filter(~pl.col("namespace").is_first_distinct()),
        "namespace {namespace} is named a second time: keep one of its rows",
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
    return CountryMap(path.name, placed, ours.canonical_models, used, left_open, has_periods=False)


def _read_text(path: Path) -> pl.DataFrame:
    try:
        return pl.read_csv(path, infer_schema=False)
    except (PolarsError, OSError) as error:
        raise CensusError(f"the map {path} cannot be read as CSV ({error}): check the file") from error


def _refuse(path: Path, wrong: pl.DataFrame, sentence: str) -> None:
    for row in wrong.head(1).to_dicts():
        raise CensusError(f"{path.name}, line {row['line']}: {sentence.format(**row)}")
