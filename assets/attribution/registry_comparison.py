"""The headline under other maps: what a year's downloads come to where another map takes the registry's place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from assets.attribution import registry_review as review
from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.expressions import ratio
from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import add_months, in_words, months_between
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.reference.countries import country_name
from pipeline.reference.other_map import VARIANTS, CountryMap
from pipeline.report.statements import ATTRIBUTION_MEANINGS, POPULATION_MEANINGS, basis_in_words, by_months
from pipeline.synthetic import is_synthetic, label

POPULATIONS = {"new": "is_new", "all": None, "language_models": "is_language"}


@dataclass(frozen=True)
class Year:
    """The months of a year that a lake holds, and which models are counted in them."""

    lake: Lake
    months: Sequence[date]
    population: str

    @property
    def is_complete(self) -> bool:
        """Whether all twelve are there."""
        return len(self.months) == 12


def year_of(lake: Lake, last: date | None, population: str) -> Year:
    """The year that ends with `last`, by default the latest complete one.

    Raises:
        CensusError: the lake does not hold its last month.
    """
    held = lake.months(MONTH_MANIFEST)
    if not held:
        raise CensusError("the lake has no months to recompute the headline from: run `census run` first")
    complete = [month for month in held if set(_months_to(month)) <= set(held)]
    last = last or (complete or held)[-1]
    if last not in held:
        raise CensusError(f"the lake does not hold {last:%Y-%m} whole: run it, or choose another month")
    return Year(lake, [month for month in _months_to(last) if month in held], population)


def _months_to(last: date) -> list[date]:
    return months_between(add_months(last, -11), last)


def headline_under(maps: Sequence[CountryMap], year: Year) -> Iterator[str]:
    """The headline's definition, and each country's share under our registry and under each of the maps."""
    under = {other.name: _shares(other, year) for other in maps}
    yield from _definition(year, under[maps[0].name])
    for other in maps:
        yield f"  {other.name}: {_applied(other)}"
    yield ""
    yield from _table(under)


def _applied(other: CountryMap) -> str:
    if other.name in VARIANTS:
        return f"by {VARIANTS[other.name][0]}, as it was in each month"
    return "as it was in each month" if "valid_from" in other.rows.columns else "applied to every month as it stands"


def _shares(other: CountryMap, year: Year) -> pl.DataFrame:
    """`member` with its downloads and share under our map (`ours`, `our_share`) and the other (`theirs`, ...)."""
    flag = POPULATIONS[year.population]
    monthly = []
    for month in year.months:
        counted = year.lake.scan(MODEL_DOWNLOADS, month)
        monthly.append(
            review.downloads_under_both_maps(
                counted.filter(pl.col(flag)) if flag else counted,
                year.lake.scan(MODEL_ATTRIBUTION, month),
                year.lake.scan(HUB_ACCOUNTS, month),
                other.rows.lazy(),
                other.canonical_models.lazy(),
                month,
            )
        )
    both = review.in_the_groups_of(pl.concat(monthly), other.rows, other.groups)
    downloads = both.pivot("map", index="member", values="downloads", aggregate_function="sum").fill_null(0)
    return downloads.with_columns(
        ratio(pl.col("ours"), pl.col("ours").sum()).alias("our_share"),
        ratio(pl.col("theirs"), pl.col("theirs").sum()).alias("their_share"),
    )


def _definition(year: Year, shares: pl.DataFrame) -> Iterator[str]:
    sources, bases = (
        {month: str(year.lake.scan(table, month).select(column).head(1).collect().item()) for month in year.months}
        for table, column in ((HUB_SNAPSHOTS, "source"), (MODEL_DOWNLOADS, "basis"))
    )
    incomplete = "" if year.is_complete else f", INCOMPLETE: {len(year.months)} months only"
    ours, theirs = (
        1.0 - sum(shares.filter(pl.col("member") == "unmapped")[f"{whose}_share"]) for whose in ("our", "their")
    )
    yield (
        f"{label(is_synthetic=any(map(is_synthetic, sources.values())))}Share of model downloads by country, under "
        "our registry and under other maps"
    )
    yield f"  window       {in_words(year.months)} (trailing_12_months{incomplete})"
    yield f"  population   {POPULATION_MEANINGS[year.population]}"
    yield f"  attribution  {ATTRIBUTION_MEANINGS['uploader']}"
    yield f"  denominator  {shares['ours'].sum():,.0f} downloads, nothing left out"
    yield f"  basis        {basis_in_words(bases)}"
    yield f"  coverage     {ours:.2%} of it attributed here, {theirs:.2%} under the other map"
    yield f"  source       {by_months(sources.items())}"


def _table(under: dict[str, pl.DataFrame]) -> Iterator[str]:
    """Our share of each member and by how much each map moves it; of one map alone its own shares too."""
    rows = pl.concat(shares.with_columns(pl.lit(name).alias("name")) for name, shares in under.items())
    by_map = rows.pivot("name", index="member", values="their_share").fill_null(0.0)
    table = (
        rows.group_by("member")
        .agg(pl.col("our_share").max().alias("our share"))
        .join(by_map, on="member")
        .sort("our share", *under, "member", descending=[*[True] * (len(under) + 1), False])
    )
    names = {code: country_name(code) for code in table["member"]}
    width = max(map(len, names.values()))
    one = next(iter(under)) if len(under) == 1 else None
    yield f"  {'':{width}}    ours  " + ("theirs  difference" if one else "  ".join(under))
    for row in table.iter_rows(named=True):
        ours = row["our share"]
        moved = (f"{row[name] - ours:+{9 if one else len(name)}.2%}" for name in under)
        theirs = f"{row[one]:6.2%}  " if one else ""
        yield f"  {names[row['member']]:{width}}  {ours:6.2%}  {theirs}{'  '.join(moved)}"
