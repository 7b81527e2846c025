"""`census registry`: what its commands take and print."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path

import click

from pipeline import settings
from pipeline.cli import registry as reviewing
from pipeline.cli.types import MonthType
from pipeline.lake.store import Lake
from pipeline.reference.other_map import VARIANTS

REGISTRY = click.option(
    "--registry",
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
    lines, is_sound = reviewing.check(file, _lake())
    _print(lines)
    sys.exit(0 if is_sound else 1)


@registry.command()
@click.argument("listing", required=False, type=click.Path(path_type=Path))
@REGISTRY
def coverage(listing: Path | None, registry: Path | None) -> None:
    """Prints how much of the downloads the registry covers, and how much of that was read.

    LISTING is a CSV with a column namespace and columns of numbers; without it, the lake's months are shown.
    """
    _print(reviewing.coverage(listing, registry, _lake()))


@registry.command()
@click.argument("others", nargs=-1)
@REGISTRY
@click.option("--last-month", type=MonthType(), help="End of the year shown.  [default: the latest complete one]")
@click.option(
    "--population", default="new", show_default=True, type=click.Choice(list(reviewing.POPULATIONS)), help="Of models."
)
def compare(others: tuple[str, ...], registry: Path | None, last_month: date | None, population: str) -> None:
    """Holds other maps against ours: where they differ, and the headline under each.

    Each of OTHERS is a variant of our map (head_office, ultimate_owner, legal_seat, greater_china, announced_owner), a
    registry, or a CSV with at least the columns namespace and country, where groups such as eu are understood. Without
    any, all variants are shown.
    """
    _print(reviewing.compare(list(others) or list(VARIANTS), registry, _lake(), last_month, population))


@registry.command()
@REGISTRY
def export(registry: Path | None) -> None:
    """Prints the map as CSV: a row for each account and period, with the owner that stands above all others."""
    _print(reviewing.export(registry))


@registry.command()
@REGISTRY
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), help="The day to review for.  [default: today]")
def review(registry: Path | None, on: datetime | None) -> None:
    """Lists what is due: read more than a year ago, announced and not closed, disputed."""
    _print(reviewing.due(registry, (on or datetime.now(UTC)).date()))


@registry.command()
@click.option("--seed", required=True, type=int, help="The same seed draws the same rows.")
@click.option("--rows", default=30, show_default=True, type=click.IntRange(1), help="How many.")
@REGISTRY
def sample(seed: int, rows: int, registry: Path | None) -> None:
    """Draws rows at random for re-checking against their evidence, as CSV."""
    _print(reviewing.sample(registry, seed, rows))


def _lake() -> Lake:
    return Lake(settings.lake_url())


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(line)
