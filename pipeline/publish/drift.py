"""What a publication changed of what had been published before: a figure that others quoted must not move unseen."""

from __future__ import annotations

from pathlib import Path

from pipeline.databases import open_published
from pipeline.errors import CensusError
from pipeline.publish.folder import PublishedFolder
from pipeline.publish.headline import Headline, read_headline
from pipeline.publish.warehouse import FILE_NAME

NOTABLE = 0.005
"""Shares that moved by more than half a percentage point are told."""

_SHARES = """
    select coalesce(country_name, member) as name, share from country_shares
    left join dim_country on country = member
    where month = $month and "window" = $window and population = $population and attribution = $attribution
    order by share desc, name
"""


def headline_changes(folder: Path) -> list[str]:
    """A sentence for each share of the last version's headline that the current version states otherwise.

    Empty where there is no earlier version. The same month, window, population and attribution are compared; of two
    countries that changed places the first ones are told though their shares moved little.
    """
    published = PublishedFolder(folder)
    current = published.current()
    earlier = [version for version in published.versions() if current is not None and version < current]
    if current is None or not earlier:
        return []
    before = folder / "versions" / earlier[0]
    try:
        headline = read_headline(before)
    except CensusError:
        return []
    was, now = (_shares(version, headline) for version in (before, folder / "versions" / current))
    if not now:
        return [
            f"{headline.last_month:%Y-%m} is no longer published, version {earlier[0]} had it: `census status` says why"
        ]
    moved = [
        f"{name}: {now.get(name, 0.0):.2%}, {share:.2%} in version {earlier[0]}"
        for name, share in was.items()
        if abs(now.get(name, 0.0) - share) > NOTABLE
    ]
    first_was, first_now = next(iter(was)), next(iter(now))
    if first_was != first_now:
        moved.insert(
            0,
            f"{first_now} leads {headline.last_month:%Y-%m}, {first_was} did in version {earlier[0]}: if that was not "
            f"meant, `census restore {earlier[0]}` takes it back",
        )
    return moved


def _shares(version: Path, headline: Headline) -> dict[str, float]:
    with open_published(version / FILE_NAME) as connection:
        rows = connection.sql(
            _SHARES,
            params={
                "month": headline.last_month,
                "window": headline.window,
                "population": headline.population,
                "attribution": headline.attribution,
            },
        ).fetchall()
    return dict(rows)
