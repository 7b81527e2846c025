"""The headline of a lake's year under our registry and under other maps."""

from datetime import date

import polars as pl
import pytest

from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.organizations import ORGANIZATIONS
from assets.attribution.registry_comparison import headline_under, year_of
from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import add_months, months_between
from pipeline.publish.manifest import MONTH_MANIFEST
from pipeline.reference.other_map import CountryMap
from pipeline.schema.shares import POPULATIONS

JULY = date(2025, 7, 1)
COMPLETE = months_between(add_months(JULY, -11), JULY)
POPULATION = {population.name: population for population in POPULATIONS}
OURS = {"lab": "CN", "firm": "US", "nobody": "unmapped"}


def rows(table, *given):
    return pl.LazyFrame([dict.fromkeys(table.schema) | row for row in given], schema=table.schema)


def lake_of(folder, months, sources=("hub_stats",)):
    """Months of 60 downloads of a lab, 30 of a firm and 10 of nobody known, and as many that are not counted."""
    lake = Lake(str(folder))
    for place, month in enumerate(months):
        of_month = {"month": month, "hub_id": "m", "basis": "all_time_delta"}
        models = [
            of_month
            | {"hub_id": f"{namespace}{is_new}{is_flagged}", "namespace": namespace, "model_id": f"{namespace}/m"}
            | {"downloads": downloads, "is_new": is_new, "is_flagged": is_flagged, "country": OURS[namespace]}
            | {"method": "registry", "source": sources[place % len(sources)]}
            for namespace, downloads in (("lab", 60), ("firm", 30), ("nobody", 10))
            for is_new, is_flagged in ((True, False), (True, True), (False, False))
        ]
        for table in (HUB_SNAPSHOTS, MODEL_DOWNLOADS, MODEL_ATTRIBUTION):
            lake.write(
                table, month, rows(table, *({key: row[key] for key in row if key in table.schema} for row in models))
            )
        lake.write(HUB_ACCOUNTS, month, rows(HUB_ACCOUNTS))
        lake.write(MONTH_MANIFEST, month, rows(MONTH_MANIFEST, {"month": month}))
    return lake


def country_map(name, *, has_periods=True, **countries):
    placed = [
        {"namespace": namespace, "organization": namespace, "country": country, "kind": "company"}
        for namespace, country in countries.items()
    ]
    none = pl.DataFrame(
        schema={"model_id": pl.String, "organization": pl.String, "country": pl.String, "kind": pl.String}
    )
    groups = pl.DataFrame(schema={"group": pl.String, "country": pl.String})
    return CountryMap(name, rows(ORGANIZATIONS, *placed).collect(), none, groups, has_periods=has_periods)


def test_one_other_map_stands_beside_ours_with_what_both_are_of(tmp_path):
    year = year_of(lake_of(tmp_path, COMPLETE), None, POPULATION["new_unflagged"])
    said = list(headline_under([country_map("theirs.csv", has_periods=False, lab="US", nobody="FR")], year))
    assert said == [
        "Share of model downloads by country, under our registry and under other maps",
        "  period       2024-08 to 2025-07 (trailing_12_months)",
        "  population   new_unflagged: models at most 365 days old at each month's close, without flagged traffic",
        "  attribution  uploader: the account that published the repository",
        "  denominator  1,200 downloads, nothing left out",
        "  basis        differences of cumulative counters",
        "  coverage     90.00% of it attributed here, 70.00% under the other map",
        "  source       hub_stats",
        "  theirs.csv: applied to every month as it stands",
        "",
        "                                                  ours  theirs  difference",
        "  China                                         60.00%   0.00%    -60.00%",
        "  United States                                 30.00%  60.00%    +30.00%",
        "  Unmapped (organisations not in the registry)  10.00%  30.00%    +20.00%",
        "  France                                         0.00%  10.00%    +10.00%",
    ]


def test_several_maps_stand_side_by_side_with_what_each_moves(tmp_path):
    year = year_of(lake_of(tmp_path, COMPLETE[:2], ("sample", "hub (synthetic)")), None, POPULATION["all"])
    maps = [country_map("legal_seat", lab="KY", firm="US"), country_map("other", lab="CN", firm="CN", nobody="CN")]
    said = list(headline_under(maps, year))
    assert said[0].startswith("SYNTHETIC SAMPLE, not the real Hub. Share of model downloads")
    assert said[1] == "  period       2024-08 to 2024-09 (trailing_12_months, INCOMPLETE: 2 months only)"
    assert said[4] == "  denominator  600 downloads, nothing left out"
    assert said[7] == "  source       2024-08: sample; 2024-09: hub (synthetic)"
    assert said[8:11] == [
        "  legal_seat: by the register of companies, where it is known, as it was in each month",
        "  other: as it was in each month",
        "",
    ]
    assert [line.split() for line in said[11:]] == [
        ["ours", "legal_seat", "other"],
        ["China", "60.00%", "-60.00%", "+40.00%"],
        ["United", "States", "30.00%", "+0.00%", "-30.00%"],
        ["Unmapped", "(organisations", "not", "in", "the", "registry)", "10.00%", "+0.00%", "-10.00%"],
        ["Cayman", "Islands", "0.00%", "+60.00%", "+0.00%"],
    ]


@pytest.mark.parametrize(("population", "denominator"), [("all", 3600), ("new", 2400), ("all_unflagged", 2400)])
def test_what_a_population_leaves_out_is_not_counted(tmp_path, population, denominator):
    year = year_of(lake_of(tmp_path, COMPLETE), JULY, POPULATION[population])
    assert f"  denominator  {denominator:,} downloads, nothing left out" in headline_under([country_map("other")], year)


def test_the_year_is_the_latest_complete_one_else_the_latest_or_the_one_asked_for(tmp_path):
    lake = lake_of(tmp_path, [add_months(JULY, -13), add_months(JULY, -12), *COMPLETE, add_months(JULY, 2)])
    assert year_of(lake, None, POPULATION["all"]).months == COMPLETE
    assert year_of(lake, add_months(JULY, 2), POPULATION["all"]).months == [*COMPLETE[2:], add_months(JULY, 2)]
    assert year_of(lake, add_months(JULY, -12), POPULATION["all"]).months == [
        add_months(JULY, -13),
        add_months(JULY, -12),
    ]
    with pytest.raises(CensusError, match="does not hold 2025-08 whole"):
        year_of(lake, add_months(JULY, 1), POPULATION["all"])


def test_of_no_complete_year_the_latest_month_ends_it(tmp_path):
    assert year_of(lake_of(tmp_path, COMPLETE[1:]), None, POPULATION["all"]).months == COMPLETE[1:]
    with pytest.raises(CensusError, match="has no months"):
        year_of(Lake(str(tmp_path / "empty")), None, POPULATION["all"])
