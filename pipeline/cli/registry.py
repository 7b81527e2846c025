"""What the registry's commands do: check it, cover a listing with it, hold it against another map, draw from it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import add_months, months_between
from pipeline.publish.headline import ATTRIBUTION_MEANINGS, BASIS_MEANINGS, POPULATION_MEANINGS
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.reference.countries import country_name
from pipeline.reference.other_map import VARIANTS, CountryMap, read_other
from pipeline.reference.registry import (
    our_registry,
    read_files,
    read_registry,
    registry_defects,
    registry_lines,
)
from pipeline.synthetic import is_synthetic, label
from pipeline.tables import attribution, listings
from pipeline.transform import registry_review as review
from pipeline.transform.attribution import current_rows
from pipeline.transform.shares import with_shares
from pipeline.transform.sums import totals_by

SHOWN = 10
POPULATIONS = {"new": "is_new", "all": None, "language_models": "is_language_model"}


def check(path: Path | None, lake: Lake) -> tuple[list[str], bool]:
    """The registry's defects and, as remarks, what the lake's months show of it; whether it is sound."""
    name = (path or our_registry()).name
    defects = registry_defects(path)
    lines = [str(defect) for defect in defects]
    lines.append(f"{name}: {len(defects)} defects" if defects else f"{name}: no defects")
    months = _attributed_months(lake)
    if any(defect.decides for defect in defects):
        lines.append("remarks need a registry that can be used: mend the defects first")
    elif not months:
        lines.append("remarks need months: the lake has none, run `census run` first")
    else:
        lines.extend(_remarks(registry_lines(path), lake, months))
    return lines, not defects


def coverage(listing: Path | None, registry: Path | None, lake: Lake) -> list[str]:
    """How much of a listing's downloads, or of the lake's months, the registry covers, and on what basis.

    Raises:
        CensusError: the listing cannot be read, or there is none and the lake has no months.
    """
    rows = read_registry(registry).organizations.lazy()
    if listing is not None:
        title = f"Share of the downloads in {listing.name} whose namespace has a row in the registry"
        standing = review.listing_standing(_read_listing(listing), rows)
    else:
        title = "Share of each month's downloads by what their attribution rests on (uploader, all models)"
        standing = _standing_of_months(lake, rows)
    standing = standing.collect().lazy()
    return [title, *_coverage_lines(standing)]


def compare(
    others: list[str], registry: Path | None, lake: Lake, last_month: date | None, population: str
) -> list[str]:
    """Where other maps agree with the registry, and the headline under each.

    Raises:
        CensusError: a map cannot be read, or the lake lacks the month.
    """
    ours = read_registry(registry)
    theirs = [read_other(other, ours) for other in others]
    lines: list[str] = []
    for other in theirs:
        latest = current_rows(other.rows.lazy()) if "valid_from" in other.rows.columns else other.rows.lazy()
        country = pl.col("country").fill_null("unaffiliated") if "kind" in other.rows.columns else pl.col("country")
        named = latest.select("namespace", country)
        lines += [
            *_verdict_lines(review.compare_maps(ours.organizations.lazy(), named, other.groups.lazy()), other.name),
            "",
        ]
    return [*lines, *_headlines(theirs, lake, last_month, population)]


def export(registry: Path | None) -> list[str]:
    """The map as CSV."""
    shown = ("namespace", "organization", "country", "kind", "parent", "valid_from", "valid_to")
    owners = ("ultimate_owner", "ultimate_owner_country", "basis")
    return read_registry(registry).organizations.select(*shown, *owners).write_csv().splitlines()


def due(registry: Path | None, day: date) -> list[str]:
    """What someone should look at again, by reason."""
    found = review.due_for_review(read_files(registry), day)
    lines = [f"due on {day}: {found.height:,} facts"]
    for (reason,), rows in found.group_by("reason", maintain_order=True):
        lines += [
            f"{reason}: {rows.height:,}",
            *(f"  {subject:36} {detail}" for subject, detail in rows.select("subject", "detail").rows()),
        ]
    return lines


def sample(registry: Path | None, seed: int, rows: int) -> list[str]:
    """Rows drawn at random for re-checking: the same seed and the same registry give the same rows."""
    lines = registry_lines(registry)
    drawn = sorted(random.Random(seed).sample(range(lines.height), min(rows, lines.height)))  # noqa: S311 - no secret
    shown = ("line", "namespace", "organization", "country", "kind", "basis", "checked_on", "evidence", "note")
    text = lines[drawn].select(shown).write_csv()
    return [f"# {len(drawn)} of {lines.height} rows, seed {seed}", *text.splitlines()]


def _attributed_months(lake: Lake) -> list[date]:
    """Months that ran to their end."""
    return lake.months(MONTH_MANIFEST)


def _remarks(registry: pl.DataFrame, lake: Lake, months: list[date]) -> Iterator[str]:
    span = f"{months[0]:%Y-%m} to {months[-1]:%Y-%m}"
    seen = pl.concat(
        lake.scan(attribution.MODEL_ATTRIBUTION, month).select("namespace").unique() for month in months
    ).unique()
    unused = registry.join(seen.collect(), on="namespace", how="anti").sort("line")
    yield f"remark: {unused['namespace'].n_unique()} namespaces were never listed in {span}"
    yield from (f"  line {line}: {namespace}" for line, namespace in unused.select("line", "namespace").rows()[:SHOWN])
    if unused.height > SHOWN:
        yield f"  ... and {unused.height - SHOWN} more lines"
    latest = _standing_of_months(lake, registry.lazy(), months[-1:])
    yield f"remark: the most downloaded namespaces in {months[-1]:%Y-%m} that are unmapped"
    yield from _ranked(review.largest_without_a_row(latest, SHOWN))


def _standing_of_months(lake: Lake, registry: pl.LazyFrame, months: list[date] | None = None) -> pl.LazyFrame:
    chosen = _attributed_months(lake) if months is None else months
    if not chosen:
        raise CensusError("the lake has no months: name a listing, or run `census run` first")
    return pl.concat(
        review.month_standing(
            lake.scan(listings.MODEL_DOWNLOADS, month), lake.scan(attribution.MODEL_ATTRIBUTION, month), registry, month
        )
        for month in chosen
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


def _coverage_lines(standing: pl.LazyFrame) -> Iterator[str]:
    totals = review.coverage_by_standing(standing)
    largest = {column: (namespaces, read) for column, namespaces, read in review.largest_namespaces(standing).rows()}
    without = review.largest_without_a_row(standing, SHOWN)
    for (column,), rows in totals.group_by("column", maintain_order=True):
        known = rows.filter(pl.col("standing").is_in(["read", "well_known"]))
        total = rows["downloads"].sum()
        yield ""
        yield f"{column}: {total:,.0f} in {rows['namespaces'].sum():,} namespaces"
        yield f"  {'in the registry':32} {known['share'].sum():8.3%}"
        yield from (
            f"    {name:30} {share:8.3%}  {namespaces:,} namespaces"
            for name, namespaces, share in known.select("standing", "namespaces", "share").rows()
        )
        yield from (
            f"  {name:32} {share:8.3%}  {namespaces:,} namespaces"
            for name, namespaces, share in rows.join(known, on="standing", how="anti")
            .select("standing", "namespaces", "share")
            .rows()
        )
        if str(column) in largest:
            namespaces, read = largest[str(column)]
            yield f"  of the {namespaces:,} namespaces that hold {review.HELD_BY_THE_LARGEST:.0%}, {read:,} are `read`"
        unknown = without.filter(pl.col("column") == column)
        if not unknown.is_empty():
            yield "  the largest without a row:"
            yield from _ranked(unknown)


def _ranked(unknown: pl.DataFrame) -> Iterator[str]:
    yield from (
        f"    {namespace:30} {share:8.3%}  {downloads:,.0f}"
        for namespace, downloads, share in unknown.select("namespace", "downloads", "share").rows()
    )


def _verdict_lines(verdicts: pl.DataFrame, other: str) -> Iterator[str]:
    counts = dict(verdicts.group_by("verdict").len().iter_rows())
    meanings = {
        "agreement": "agree",
        "disagreement": "disagree",
        "not_stated": f"are placed here and left open in {other}",
        "only_here": "are in our registry only",
        "only_there": f"are in {other} only",
    }
    yield f"{verdicts.height:,} namespaces in our registry or in {other}"
    for verdict, meaning in meanings.items():
        yield f"  {counts.get(verdict, 0):6,} {meaning}"
    for verdict in ("disagreement", "only_there"):
        rows = verdicts.filter(pl.col("verdict") == verdict)
        if rows.is_empty():
            continue
        yield f"{verdict.replace('_', ' ')}:"
        yield from (
            f"  {namespace:30} here {ours or 'no row':14} there {theirs or 'left open'}"
            for namespace, ours, theirs in rows.select("namespace", "ours", "theirs").rows()
        )


@dataclass(frozen=True)
class _Window:
    """The trailing year that ends with `months[-1]`, as far as the lake holds it."""

    months: list[date]
    wanted: int

    @property
    def is_complete(self) -> bool:
        return len(self.months) == self.wanted


def _window(lake: Lake, last_month: date | None) -> _Window:
    held = _attributed_months(lake)
    if not held:
        raise CensusError("the lake has no months to recompute the headline from: run `census run` first")
    complete = [last for last in held if set(months_between(add_months(last, -11), last)) <= set(held)]
    last = last_month or (complete or held)[-1]
    if last not in held:
        raise CensusError(f"the lake does not hold {last:%Y-%m} whole: run it, or choose another month")
    wanted = months_between(add_months(last, -11), last)
    return _Window([month for month in wanted if month in held], len(wanted))


def _headlines(maps: list[CountryMap], lake: Lake, last_month: date | None, population: str) -> Iterator[str]:
    window = _window(lake, last_month)
    under = {
        other.name: _shares(_downloads_under(other, lake, window, population), window, population) for other in maps
    }
    first = under[maps[0].name]
    yield from _definition(lake, window, population, first)
    for other in maps:
        yield f"  {other.name}: {_applied(other)}"
    yield ""
    yield from _both(first) if len(maps) == 1 else _side_by_side(under)


def _applied(other: CountryMap) -> str:
    if other.name in VARIANTS:
        return f"by {VARIANTS[other.name][0]}, as it was in each month"
    return "as it was in each month" if "valid_from" in other.rows.columns else "applied to every month as it stands"


def _downloads_under(other: CountryMap, lake: Lake, window: _Window, population: str) -> pl.DataFrame:
    flag = POPULATIONS[population]
    monthly = []
    for month in window.months:
        downloads = lake.scan(listings.MODEL_DOWNLOADS, month)
        monthly.append(
            review.downloads_under_both_maps(
                downloads.filter(pl.col(flag)) if flag else downloads,
                lake.scan(attribution.MODEL_ATTRIBUTION, month),
                lake.scan(listings.HUB_ACCOUNTS, month),
                other.rows.lazy(),
                other.canonical_models.lazy(),
                month,
            )
        )
    return review.in_the_groups_of(pl.concat(monthly), other.rows, other.groups)


def _shares(downloads: pl.DataFrame, window: _Window, population: str) -> pl.DataFrame:
    totals = totals_by(downloads.sort("map", "member", "downloads"), ["map", "member"], ["downloads"])
    return with_shares(
        totals.with_columns(
            pl.lit(window.months[-1]).alias("month"),
            pl.lit("trailing_12_months").alias("window"),
            pl.lit(population).alias("population"),
            pl.lit("uploader").alias("attribution"),
            pl.col("map").alias("dimension"),
        )
    )


def _definition(lake: Lake, window: _Window, population: str, shares: pl.DataFrame) -> Iterator[str]:
    stated = pl.concat(
        lake.scan(listings.DOWNLOAD_ACCOUNTS, month).select("source", "basis").head(1) for month in window.months
    ).collect()
    sources = stated["source"].unique().sort().to_list()
    bases = stated["basis"].unique().to_list()
    synthetic = label(is_synthetic=any(map(is_synthetic, sources)))
    incomplete = "" if window.is_complete else f", INCOMPLETE: {len(window.months)} months only"
    covered = dict(shares.select("dimension", "coverage").unique().iter_rows())
    yield f"{synthetic}Share of model downloads by country, under our registry and under other maps"
    yield f"  window       {window.months[0]:%Y-%m} to {window.months[-1]:%Y-%m} (trailing_12_months{incomplete})"
    yield f"  population   {POPULATION_MEANINGS[population]}"
    yield f"  attribution  uploader: {ATTRIBUTION_MEANINGS['uploader']}"
    yield f"  denominator  {shares.row(0, named=True)['denominator']:,.0f} downloads, nothing left out"
    yield f"  basis        {BASIS_MEANINGS[bases[0] if len(bases) == 1 else 'mixed']}"
    yield f"  coverage     {covered['ours']:.2%} of it attributed here, {covered['theirs']:.2%} under the other map"
    yield f"  source       {', '.join(sources)}"


def _side_by_side(under: dict[str, pl.DataFrame]) -> Iterator[str]:
    """Our share of each member, and by how much each map moves it."""
    named = [shares.with_columns(pl.lit(name).alias("name")) for name, shares in under.items()]
    moved = (
        pl.concat(named)
        .pivot("dimension", index=["member", "name"], values="share")
        .with_columns(pl.col("ours", "theirs").fill_null(0.0))
        .with_columns((pl.col("theirs") - pl.col("ours")).alias("difference"))
        .pivot("name", index=["member", "ours"], values="difference")
        .sort("ours", "member", descending=[True, False])
    )
    names = _member_names(moved)
    width = max(map(len, names.values()))
    yield f"  {'':{width}}    ours  " + "  ".join(under)
    for row in moved.iter_rows(named=True):
        differences = (f"{row[name] or 0.0:+{len(name)}.2%}" for name in under)
        yield f"  {names[row['member']]:{width}}  {row['ours']:6.2%}  {'  '.join(differences)}"


def _member_names(rows: pl.DataFrame) -> dict[str, str]:
    return {code: country_name(code) for code in rows["member"]}


def _both(shares: pl.DataFrame) -> Iterator[str]:
    side_by_side = (
        shares.pivot("dimension", index="member", values="share")
        .with_columns(pl.col("ours", "theirs").fill_null(0.0))
        .sort("ours", "theirs", "member", descending=[True, True, False])
    )
    names = _member_names(side_by_side)
    width = max(map(len, names.values()))
    yield f"  {'':{width}}    ours  theirs  difference"
    yield from (
        f"  {names[member]:{width}}  {ours:6.2%}  {theirs:6.2%}  {theirs - ours:+9.2%}"
        for member, ours, theirs in side_by_side.select("member", "ours", "theirs").rows()
    )
