"""Other maps from namespaces to countries, to hold ours against: declared variants of ours, registries, other lists."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import CensusError
from pipeline.reference.country_groups import country_groups
from pipeline.reference.registry import Registry, read_registry
from pipeline.reference.registry_map import merge_periods
from pipeline.reference.registry_rules import COUNTRY_CODES, MEMBERS_NOT_COUNTRIES

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

    `rows` has `namespace` and `country`: an ISO code, one of the members that are not countries, or a group; null where
    the map names none. Those of a registry have its other columns too, and so a row for each period. `canonical_models`
    are the models without a namespace as the map has them. `groups` has the `group` and `country` of every group used.
    """

    name: str
    rows: pl.DataFrame
    canonical_models: pl.DataFrame
    groups: pl.DataFrame


def under_variant(registry: Registry, variant: str) -> Registry:
    """The registry with every organisation in the country that a declared variant gives it; persons keep none."""
    country = VARIANTS[variant][1]
    placed = registry.pieces.with_columns(pl.when(pl.col("country").is_not_null()).then(country).alias("country"))
    makers = placed.filter(pl.col("valid_to").is_null() & pl.col("country").is_not_null()).unique("organization")
    canonical = registry.canonical_models.join(
        makers.select("organization", moved="country"), on="organization", how="left", maintain_order="left"
    ).with_columns(pl.coalesce("moved", "country").alias("country"))
    return Registry(
        merge_periods(placed.select(registry.organizations.columns)), canonical.drop("moved"), registry.digest, placed
    )


def read_other(other: str, ours: Registry) -> CountryMap:
    """A variant of ours by its name, else a registry (a folder, or a file with periods), else a map in a CSV.

    Raises:
        CensusError: it is none of these, or cannot be understood.
    """
    if other not in VARIANTS and not Path(other).exists():
        raise CensusError(f"{other} is neither a file nor a variant: choose one of {', '.join(VARIANTS)}, or a CSV")
    path = Path(other)
    if other in VARIANTS:
        read = under_variant(ours, other)
    elif path.is_dir() or "valid_from" in _read_text(path).columns:
        read = read_registry(path)
    else:
        return read_country_map(path, ours)
    return CountryMap(
        other, read.organizations, read.canonical_models, country_groups().select("group", "country").clear()
    )


def read_country_map(path: Path, ours: Registry) -> CountryMap:
    """The map in a CSV with at least the columns namespace and country; countries and groups in any case.

    Raises:
        CensusError: the file cannot be read, lacks a column, names a namespace twice, or a country that does not exist.
    """
    groups = country_groups().filter(pl.col("valid_to").is_null()).select("group", "country")
    text = _read_text(path)
    if missing := [column for column in ("namespace", "country") if column not in text.columns]:
        raise CensusError(f"{path.name}, line 1 lacks the columns {', '.join(missing)}: add them to the header")
    written = pl.col("country").fill_null("").str.strip_chars()
    is_code = written.str.to_uppercase().is_in(list(COUNTRY_CODES))
    member = pl.when(is_code).then(written.str.to_uppercase()).otherwise(written.str.to_lowercase()).alias("member")
    rows = text.with_row_index("line", offset=2).select("line", "namespace", "country", member)
    accepted = [*COUNTRY_CODES, *MEMBERS_NOT_COUNTRIES, *NOT_STATED, *groups["group"].unique()]
    _refuse(
        path,
        rows.filter(~pl.col("member").is_in(accepted)),
        "country {country} is neither an ISO 3166-1 alpha-2 code nor a group: write a code, or one of "
        f"{', '.join(sorted({*MEMBERS_NOT_COUNTRIES, *groups['group']}))}",
    )
    _refuse(
        path,
        rows.filter(~pl.col("namespace").is_first_distinct()),
        "namespace {namespace} is named a second time: keep one of its rows",
    )
    return CountryMap(
        path.name,
        rows.select("namespace", pl.col("member").replace(dict.fromkeys(NOT_STATED)).alias("country")),
        ours.canonical_models,
        groups.filter(pl.col("group").is_in(rows["member"].unique().implode())),
    )


def _read_text(path: Path) -> pl.DataFrame:
    try:
        return pl.read_csv(path, infer_schema=False)
    except (PolarsError, OSError) as error:
        raise CensusError(f"the map {path} cannot be read as CSV ({error}): check the file") from error


def _refuse(path: Path, wrong: pl.DataFrame, sentence: str) -> None:
    if not wrong.is_empty():
        first = wrong.row(0, named=True)
        raise CensusError(f"{path.name}, line {first['line']}: {sentence.format(**first)}")
