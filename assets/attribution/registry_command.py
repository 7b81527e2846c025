"""`census registry`: checks the registry, covers listings with it, holds it against other maps, draws from it."""

import random
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import click
import polars as pl
from polars.exceptions import PolarsError

from assets.attribution import registry_review as reviewing
from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline import settings
from pipeline.cli.types import MonthType
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import add_months, in_words, months_between
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.reference import registry as reading
from pipeline.reference.countries import country_name
from pipeline.reference.other_map import VARIANTS, CountryMap, read_other
from pipeline.report import statements
from pipeline.schema.shares import POPULATIONS
from pipeline.synthetic import is_synthetic, label
from pipeline.wording import counted

SHOWN = 10
RESULTS = {
    "agreement": "agree",
    "disagreement": "disagree",
    "not_stated": "are placed here and left open in {}",
    "only_here": "are in our registry only",
    "only_there": "are in {} only",
}
"""What is said of the namespaces of each result of a comparison with another map, which has a name."""
_POPULATIONS = {population.name: population for population in POPULATIONS}
REGISTRY = click.option(
    "--registry",
    "path",
    type=click.Path(path_type=Path),
    help="Another registry instead of ours: a folder of its files, or one CSV.",
)


@click.group()
def registry() -> None:
    """Reviews the map from namespaces to organisations and countries."""


@registry.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
def check(file: Path | None) -> None:
    """Names every defect of a registry (by default ours) by its line and remedy, then remarks from the lake.

    FILE is a folder with the registry's files, or one CSV with the columns that `export` prints.

    Exit code 0: no defects; 1: at least one.
    """
    defects = reading.registry_defects(file)
    _print(map(str, defects))
    click.echo(
        f"{(file or reading.our_registry()).name}: {counted(len(defects), 'defect') if defects else 'no defects'}"
    )
    lake = _lake()
    months = lake.months(MONTH_MANIFEST)
    if any(defect.decides for defect in defects):
        click.echo("remarks need a registry that can be used: mend the defects first")
    elif not months:
        click.echo("remarks need months: the lake has none, run `census run` first")
    else:
        _print(_remarks(reading.registry_lines(file), lake, months))
    sys.exit(1 if defects else 0)


@registry.command()
@click.argument("listing", required=False, type=click.Path(path_type=Path))
@REGISTRY
def coverage(listing: Path | None, path: Path | None) -> None:
    """Prints how much of the downloads the registry covers, and how much of that was read.

    LISTING is a CSV with a column namespace and columns of numbers; without it, the lake's months are shown.
    """
    rows = reading.read_registry(path).organizations.lazy()
    if listing is not None:
        click.echo(f"Share of the downloads in {listing.name} whose namespace has a row in the registry")
        standing = reviewing.listing_standing(_read_listing(listing), rows)
    else:
        click.echo("Share of each month's downloads by what their attribution rests on (uploader, all models)")
        standing = _standing_of_months(_lake(), rows, _lake().months(MONTH_MANIFEST))
    _print(_coverage_lines(reviewing.ranked(standing)))


@registry.command()
@click.argument("others", nargs=-1)
@REGISTRY
@click.option("--last-month", type=MonthType(), help="End of the year shown.  [default: the latest complete one]")
@click.option(
    "--population", default="new", show_default=True, type=click.Choice(list(_POPULATIONS)), help="Of models."
)
def compare(others: tuple[str, ...], path: Path | None, last_month: date | None, population: str) -> None:
    """Holds other maps against ours: where they differ, and the headline under each.

    Each of OTHERS is a variant of our map (head_office, ultimate_owner, legal_seat, greater_china, announced_owner), a
    registry, or a CSV with at least the columns namespace and country, where groups such as eu are understood. Without
    any, all variants are shown.
    """
    ours = reading.read_registry(path)
    theirs = [read_other(other, ours) for other in others or VARIANTS]
    for other in theirs:
        _print([*_differences(ours.organizations, other), ""])
    lake = _lake()
    if lake.months(MONTH_MANIFEST):
        _print(_headline_under(theirs, lake, last_month, population))
    else:
        click.echo("the headline under each needs months: the lake has none, run `census run` first")


@registry.command()
@REGISTRY
def export(path: Path | None) -> None:
    """Prints the map as CSV: a row for each account and period, with the owner that stands above all others."""
    shown = ("namespace", "organization", "country", "kind", "parent", "valid_from", "valid_to")
    owners = ("ultimate_owner", "ultimate_owner_country", "basis")
    rows = reading.read_registry(path).organizations.select(*shown, *owners)
    click.echo(reading.merge_periods(rows).write_csv(), nl=False)


@registry.command()
@REGISTRY
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The day to review for.  [default: today]")
def review(path: Path | None, on: datetime | None) -> None:
    """Lists what is due: read more than a year ago, announced and not closed, disputed."""
    if path and not path.is_dir():
        raise CensusError(f"{path} is not a folder: a review reads a registry's files, which one CSV does not hold")
    day = (on or datetime.now(UTC)).date()
    found = reviewing.due_for_review(reading.read_files(path), day)
    click.echo(f"due on {day}: {counted(found.height, 'fact')}")
    for (reason,), rows in found.group_by("reason", maintain_order=True):
        click.echo(f"{reason}: {rows.height:,}")
        _print(f"  {subject:36} {detail}" for subject, detail in rows.select("subject", "detail").rows())


@registry.command()
@click.option("--seed", required=True, type=int, help="The same seed draws the same rows.")
@click.option("--rows", default=30, show_default=True, type=click.IntRange(1), help="How many.")
@REGISTRY
def sample(seed: int, rows: int, path: Path | None) -> None:
    """Draws rows at random for re-checking against their evidence, as CSV."""
    lines = reading.registry_lines(path)
    drawn = sorted(random.Random(seed).sample(range(lines.height), min(rows, lines.height)))  # noqa: S311 - no secret
    shown = ("line", "namespace", "organization", "country", "kind", "basis", "checked_on", "evidence", "note")
    click.echo(f"# {len(drawn)} of {lines.height} rows, seed {seed}")
    click.echo(lines[drawn].select(shown).write_csv(), nl=False)


def _lake() -> Lake:
    return Lake(settings.lake_url())


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)


def _remarks(lines: pl.DataFrame, lake: Lake, months: list[date]) -> Iterator[str]:
    seen = pl.concat(lake.scan(MODEL_ATTRIBUTION, month).select("namespace").unique() for month in months).unique()
    unused = lines.join(seen.collect(), on="namespace", how="anti").sort("line")
    never = counted(unused["namespace"].n_unique(), "namespace")
    yield f"remark: {never} never listed in {months[0]:%Y-%m} to {months[-1]:%Y-%m}"
    yield from (f"  line {line}: {namespace}" for line, namespace in unused.select("line", "namespace").rows()[:SHOWN])
    if unused.height > SHOWN:
        yield f"  ... and {unused.height - SHOWN} more lines"
    yield f"remark: the most downloaded namespaces in {months[-1]:%Y-%m} that are unmapped"
    yield from _without_a_row(reviewing.ranked(_standing_of_months(lake, lines.lazy(), months[-1:])))


def _standing_of_months(lake: Lake, rows: pl.LazyFrame, months: list[date]) -> pl.LazyFrame:
    if not months:
        raise CensusError("the lake has no months: name a listing, or run `census run` first")
    return pl.concat(
        reviewing.month_standing(lake.scan(MODEL_DOWNLOADS, month), lake.scan(MODEL_ATTRIBUTION, month), rows, month)
        for month in months
    )


def _read_listing(path: Path) -> pl.LazyFrame:
    try:
        table = pl.read_csv(path)
    except (PolarsError, OSError) as error:
        raise CensusError(f"the listing {path} cannot be read as CSV ({error}): check the file") from error
    figures = [name for name, dtype in table.schema.items() if dtype.is_numeric()]
    if "namespace" not in table.columns or not figures:
        raise CensusError(f"the listing {path.name} needs a column namespace and one of numbers: add them")
    return (
        table.lazy()
        .with_columns(pl.col("namespace").cast(pl.String))
        .unpivot(figures, index="namespace", variable_name="column", value_name="downloads")
        .group_by("column", "namespace", maintain_order=True)
        .agg(pl.col("downloads").cast(pl.Float64).sum())
    )


def _coverage_lines(ranked: pl.DataFrame) -> Iterator[str]:
    for (column,), rows in ranked.group_by("column", maintain_order=True):
        standings = (
            rows.group_by("standing").agg(pl.len(), pl.col("share").sum()).sort("share", "standing", descending=True)
        )
        is_known = pl.col("standing").is_in(["read", "well_known"])
        known, large = standings.filter(is_known), rows.filter("is_large")
        yield ""
        yield f"{column}: {rows['downloads'].sum():,.0f} in {rows.height:,} namespaces"
        yield f"  {'in the registry':32} {known['share'].sum():8.3%}"
        for indent, part in (("    ", known), ("  ", standings.filter(~is_known))):
            for name, namespaces, share in part.rows():
                yield f"{indent}{name:{34 - len(indent)}} {share:8.3%}  {counted(namespaces, 'namespace')}"
        read = large.filter(standing="read").height
        held = f"{reviewing.HELD_BY_THE_LARGEST:.0%}"
        yield f"  of the {large.height:,} namespaces that hold {held}, {read:,} are `read`"
        if unknown := list(_without_a_row(rows)):
            yield from ("  the largest without a row:", *unknown)


def _without_a_row(ranked: pl.DataFrame) -> Iterator[str]:
    unknown = ranked.filter(pl.col("standing").is_in(reviewing.WITHOUT_A_ROW)).head(SHOWN)
    for namespace, downloads, share in unknown.select("namespace", "downloads", "share").rows():
        yield f"    {namespace:30} {share:8.3%}  {downloads:,.0f}"


def _differences(ours: pl.DataFrame, other: CountryMap) -> Iterator[str]:
    """Where another map agrees with ours, and the namespaces that the two place differently."""
    results = reviewing.compare_maps(ours.lazy(), other)
    counts = dict(results.group_by("result").len().iter_rows())
    yield f"{counted(results.height, 'namespace')} in our registry or in {other.name}"
    yield from (f"  {counts.get(result, 0):6,} {said.format(other.name)}" for result, said in RESULTS.items())
    if shared := counts.get("agreement", 0) + counts.get("disagreement", 0):
        yield f"  {counts.get('agreement', 0) / shared:.1%} of those that both place agree"
    for result in ("disagreement", "only_there"):
        rows = results.filter(pl.col("result") == result).select("namespace", "ours", "theirs").rows()
        if rows:
            yield f"{result.replace('_', ' ')}:"
        for namespace, here, there in rows:
            yield f"  {namespace:30} here {here or 'no row':14} there {there or 'left open'}"


def _headline_under(maps: list[CountryMap], lake: Lake, last: date | None, population: str) -> Iterator[str]:
    """The headline's definition, and each country's share under our registry and under each of the maps.

    The year ends with `last`, by default it is the latest complete one.
    """
    held = lake.months(MONTH_MANIFEST)
    years = {month: [one for one in months_between(add_months(month, -11), month) if one in held] for month in held}
    last = last or max((month for month in held if len(years[month]) == 12), default=held[-1])
    if last not in held:
        raise CensusError(f"the lake lacks tables of {last:%Y-%m}: run it, or choose another month")
    months = years[last]
    sources, bases = (
        {month: str(lake.scan(table, month).select(column).head(1).collect().item()) for month in months}
        for table, column in ((HUB_SNAPSHOTS, "source"), (MODEL_DOWNLOADS, "basis"))
    )
    under = {one.name: reviewing.shares_under_both_maps(one, lake, months, _POPULATIONS[population]) for one in maps}
    first = under[maps[0].name]
    ours, theirs = (1.0 - sum(first.filter(member="unmapped")[f"{whose}_share"]) for whose in ("our", "their"))
    synthetic = label(is_synthetic=any(map(is_synthetic, sources.values())))
    yield f"{synthetic}Share of model downloads by country, under our registry and under other maps"
    incomplete = "" if len(months) == 12 else f", INCOMPLETE: {len(months)} months only"
    yield from statements.terms_as_text(
        {
            "period": f"{in_words(months)} (trailing_12_months{incomplete})",
            "population": statements.POPULATION_MEANINGS[population],
            "attribution": statements.ATTRIBUTION_MEANINGS["uploader"],
            "denominator": f"{first['ours'].sum():,.0f} downloads, nothing left out",
            "basis": statements.basis_in_words(bases),
            "coverage": f"{ours:.2%} of it attributed here, {theirs:.2%} under the other map",
            "source": statements.by_months(sources.items()),
        }
    )
    for other in maps:
        applied = "as it was in each month" if other.has_periods else "applied to every month as it stands"
        placed_by = f"by {VARIANTS[other.name][0]}, " if other.name in VARIANTS else ""
        yield f"  {other.name}: {placed_by}{applied}"
    yield ""
    yield from _table(under)


def _table(under: dict[str, pl.DataFrame]) -> list[str]:
    """Our share of each member and by how much each map moves it; of one map alone its own shares too."""
    rows = pl.concat(shares.with_columns(pl.lit(name).alias("name")) for name, shares in under.items())
    by_map = rows.pivot("name", index="member", values="their_share").fill_null(0.0)
    ours = rows.group_by("member").agg(pl.col("our_share").max())
    order = ("our_share", *under, "member")
    table = ours.join(by_map, on="member").sort(order, descending=[name != "member" for name in order])
    one = next(iter(under)) if len(under) == 1 else None
    lines = [["", "ours", *(["theirs", "difference"] if one else under)]]
    for row in table.iter_rows(named=True):
        theirs = [f"{row[one]:.2%}"] if one else []
        moved = [f"{row[name] - row['our_share']:+.2%}" for name in under]
        lines.append([country_name(row["member"]), f"{row['our_share']:.2%}", *theirs, *moved])
    return statements.columns_as_text(lines, "<" + ">" * (len(lines[0]) - 1))
