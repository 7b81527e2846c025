"""The headline under other maps: what a year's downloads come to where another map takes the registry's place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.registry_review import downloads_under_both_maps
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
from pipeline.schema.shares import Population
from pipeline.synthetic import is_synthetic, label


@dataclass(frozen=True)
class Year:
    """The months of a year that a lake holds, and which models are counted in them."""

    lake: Lake
    months: Sequence[date]
    population: Population


def year_of(lake: Lake, last: date | None, population: Population) -> Year:
    """The year that ends with `last`, by default the latest complete one.

    Raises:
        CensusError: the lake does not hold its last month.
    """
    held = lake.months(MONTH_MANIFEST)
    if not held:
        raise CensusError("the lake has no months to recompute the headline from: run `census run` first")
    years = {
        month: [other for other in months_between(add_months(month, -11), month) if other in held] for month in held
    }
    last = last or max((month for month in held if len(years[month]) == 12), default=held[-1])
    if last not in held:
        raise CensusError(f"the lake does not hold {last:%Y-%m} whole: run it, or choose another month")
    return Year(lake, years[last], population)


def headline_under(maps: Sequence[CountryMap], year: Year) -> Iterator[str]:
    """The headline's definition, and each country's share under our registry and under each of the maps."""
    under = {other.name: _shares(other, year) for other in maps}
    yield from _definition(year, under[maps[0].name])
    for other in maps:
        applied = "as it was in each month" if other.has_periods else "applied to every month as it stands"
        placed_by = f"by {VARIANTS[other.name][0]}, " if other.name in VARIANTS else ""
        yield f"  {other.name}: {placed_by}{applied}"
    yield ""
    yield from _table(under)


def _shares(other: CountryMap, year: Year) -> pl.DataFrame:
    """`member` with its downloads and share under our map (`ours`, `our_share`) and the other (`theirs`, ...)."""
    has = year.population.has
    is_counted = pl.col(has) if has else pl.lit(value=True)
    if not year.population.counts_flagged:
        is_counted &= ~pl.col("is_flagged")
    monthly = [
        downloads_under_both_maps(
            year.lake.scan(MODEL_DOWNLOADS, month).filter(is_counted),
            year.lake.scan(MODEL_ATTRIBUTION, month),
            year.lake.scan(HUB_ACCOUNTS, month),
            other,
            month,
        )
        for month in year.months
    ]
    downloads = pl.concat(monthly).pivot("map", index="member", values="downloads", aggregate_function="sum")
    return downloads.fill_null(0).with_columns(
        ratio(pl.col("ours"), pl.col("ours").sum()).alias("our_share"),
        ratio(pl.col("theirs"), pl.col("theirs").sum()).alias("their_share"),
    )


def _definition(year: Year, shares: pl.DataFrame) -> Iterator[str]:
    sources, bases = (
        {month: str(year.lake.scan(table, month).select(column).head(1).collect().item()) for month in year.months}
        for table, column in ((HUB_SNAPSHOTS, "source"), (MODEL_DOWNLOADS, "basis"))
    )
    incomplete = "" if len(year.months) == 12 else f", INCOMPLETE: {len(year.months)} months only"
    ours, theirs = (1.0 - sum(shares.filter(member="unmapped")[f"{whose}_share"]) for whose in ("our", "their"))
    yield (
        f"{label(is_synthetic=any(map(is_synthetic, sources.values())))}Share of model downloads by country, under "
        "our registry and under other maps"
    )
    yield f"  period       {in_words(year.months)} (trailing_12_months{incomplete})"
    yield f"  population   {POPULATION_MEANINGS[year.population.name]}"
    yield f"  attribution  {ATTRIBUTION_MEANINGS['uploader']}"
    yield f"  denominator  {shares['ours'].sum():,.0f} downloads, nothing left out"
    yield f"  basis        {basis_in_words(bases)}"
    yield f"  coverage     {ours:.2%} of it attributed here, {theirs:.2%} under the other map"
    yield f"  source       {by_months(sources.items())}"


def _table(under: dict[str, pl.DataFrame]) -> Iterator[str]:
    """Our share of each member and by how much each map moves it; of one map alone its own shares too."""
    rows = pl.concat(shares.with_columns(pl.lit(name).alias("name")) for name, shares in under.items())
    by_map = rows.pivot("name", index="member", values="their_share").fill_null(0.0)
    ours = rows.group_by("member").agg(pl.col("our_share").max())
    order = ("our_share", *under, "member")
    table = ours.join(by_map, on="member").sort(order, descending=[name != "member" for name in order])
    names = {code: country_name(code) for code in table["member"]}
    width = max(map(len, names.values()))
    one = next(iter(under)) if len(under) == 1 else None
    yield f"  {'':{width}}    ours  " + ("theirs  difference" if one else "  ".join(under))
    for row in table.iter_rows(named=True):
        moved = (f"{row[name] - row['our_share']:+{9 if one else len(name)}.2%}" for name in under)
        theirs = f"{row[one]:6.2%}  " if one else ""
        yield f"  {names[row['member']]:{width}}  {row['our_share']:6.2%}  {theirs}{'  '.join(moved)}"
