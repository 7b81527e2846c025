"""The headline of a lake's year under our registry and under other maps."""

import re
from datetime import date

import pytest
from click.testing import CliRunner

from assets.attribution.model_attribution import MODEL_ATTRIBUTION
from assets.attribution.registry_command import registry
from assets.listings.hub_accounts import HUB_ACCOUNTS
from assets.listings.hub_snapshots import HUB_SNAPSHOTS
from assets.listings.model_downloads import MODEL_DOWNLOADS
from pipeline.errors import CensusError
from pipeline.lake.store import Lake
from pipeline.months import add_months, months_between
from pipeline.publish.manifest import MONTH_MANIFEST
from tests.assets.rows import rows_of

JULY = date(2025, 7, 1)
COMPLETE = months_between(add_months(JULY, -11), JULY)
OURS = {"lab": "CN", "firm": "US", "nobody": "unmapped"}


def make_lake(folder, months, sources=("hub_stats",)):
    """Months of 60 downloads of a lab, 30 of a firm and 10 of nobody known, and as many that are not counted."""
    lake = Lake(str(folder / "lake"))
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
            lake.write(table, month, rows_of(table, models))
        lake.write(HUB_ACCOUNTS, month, rows_of(HUB_ACCOUNTS, []))
        lake.write(MONTH_MANIFEST, month, rows_of(MONTH_MANIFEST, [{"month": month}]))


@pytest.fixture
def compare(tmp_path, monkeypatch):
    """What is said of the headline of these months under other maps, each by its name with a country a namespace."""
    monkeypatch.setenv("CENSUS_HOME", str(tmp_path))
    ours = tmp_path / "ours.csv"
    ours.write_text(
        "namespace,organization,country,kind,parent,valid_from,valid_to,basis\n"
        "lab,Lab,CN,company,,,,stated\nfirm,Firm,US,company,,,,stated\n"
    )

    def compared(months, *asked, sources=("hub_stats",), **maps):
        make_lake(tmp_path, months, sources)
        for name, places in maps.items():
            rows = "".join(f"{namespace},{country}\n" for namespace, country in places.items())
            (tmp_path / name).write_text(f"namespace,country\n{rows}")
        arguments = ["compare", "--registry", ours, *(tmp_path / name for name in maps), *asked]
        answer = CliRunner().invoke(registry, list(map(str, arguments)))
        if answer.exception:
            raise answer.exception
        text = answer.output.replace(f"{tmp_path}/", "")
        return text[text.find("Share of model downloads by country") :].splitlines(), text

    return compared


def test_one_other_map_stands_beside_ours_with_what_both_are_of(compare):
    said, text = compare(COMPLETE, "--population", "new_unflagged", theirs={"lab": "US", "nobody": "FR"})
    assert re.search(r"^  lab +here CN +there US$", text, re.MULTILINE)
    assert [line.split(None, 1) for line in said[1:8]] == [
        ["period", "2024-08 to 2025-07 (trailing_12_months)"],
        ["population", "new_unflagged: models at most 365 days old at each month's close, without flagged traffic"],
        ["attribution", "uploader: the account that published the repository"],
        ["denominator", "1,200 downloads, nothing left out"],
        ["basis", "differences of cumulative counters"],
        ["coverage", "90.00% of it attributed here, 70.00% under the other map"],
        ["source", "hub_stats"],
    ]
    assert said[8:10] == ["  theirs: applied to every month as it stands", ""]
    assert [line.split() for line in said[10:]] == [
        ["ours", "theirs", "difference"],
        ["China", "60.00%", "0.00%", "-60.00%"],
        ["United", "States", "30.00%", "60.00%", "+30.00%"],
        ["Unmapped", "(organisations", "not", "in", "the", "registry)", "10.00%", "30.00%", "+20.00%"],
        ["France", "0.00%", "10.00%", "+10.00%"],
    ]


def test_several_maps_stand_side_by_side_with_what_each_moves(compare):
    maps = {"one": {"lab": "KY", "firm": "US"}, "two": {"lab": "CN", "firm": "CN", "nobody": "CN"}}
    asked = ("legal_seat", "--population", "all")
    said, text = compare(COMPLETE[:2], *asked, sources=("sample", "hub (synthetic)"), **maps)
    assert "SYNTHETIC SAMPLE, not the real Hub. Share of model downloads" in text
    assert said[1].split(None, 1)[1] == "2024-08 to 2024-09 (trailing_12_months, INCOMPLETE: 2 months only)"
    assert said[4].split(None, 1)[1] == "600 downloads, nothing left out"
    assert said[7].split(None, 1)[1] == "2024-08: sample; 2024-09: hub (synthetic)"
    assert said[8:12] == [
        "  one: applied to every month as it stands",
        "  two: applied to every month as it stands",
        "  legal_seat: by the register of companies, where it is known, as it was in each month",
        "",
    ]
    assert [line.split() for line in said[12:]] == [
        ["ours", "one", "two", "legal_seat"],
        ["China", "60.00%", "-60.00%", "+40.00%", "+0.00%"],
        ["United", "States", "30.00%", "+0.00%", "-30.00%", "+0.00%"],
        ["Unmapped", "(organisations", "not", "in", "the", "registry)", "10.00%", "+0.00%", "-10.00%", "+0.00%"],
        ["Cayman", "Islands", "0.00%", "+60.00%", "+0.00%", "+0.00%"],
    ]


@pytest.mark.parametrize(("population", "denominator"), [("all", 300), ("new", 200), ("all_unflagged", 200)])
def test_what_a_population_leaves_out_is_not_counted(compare, population, denominator):
    said, _ = compare([JULY], "--population", population, theirs={"lab": "US"})
    assert said[4].split()[1] == str(denominator)


@pytest.mark.parametrize(
    ("months", "asked", "named"),
    [
        ([-13, -12, *range(-11, 1), 2], [], "2024-08 to 2025-07 (trailing_12_months)"),
        (
            [-13, -12, *range(-11, 1), 2],
            ["--last-month", "2025-09"],
            "2024-10 to 2025-07, 2025-09 (trailing_12_months,",
        ),
        ([-13, -12, -11], ["--last-month", "2024-07"], "2024-06 to 2024-07 (trailing_12_months,"),
        ([*range(-10, 1)], [], "2024-09 to 2025-07 (trailing_12_months, INCOMPLETE: 11 months only)"),
    ],
)
def test_the_year_is_the_latest_complete_one_else_the_latest_or_the_one_asked_for(compare, months, asked, named):
    said, _ = compare([add_months(JULY, place) for place in months], *asked, theirs={"lab": "US"})
    assert said[1].split(None, 1)[1].startswith(named)


def test_a_year_whose_last_month_is_not_there_is_refused_and_an_empty_lake_is_said(compare):
    assert "the lake has none, run `census run` first" in compare([], theirs={"lab": "US"})[1]
    with pytest.raises(CensusError, match="lacks tables of 2025-08"):
        compare([JULY], "--last-month", "2025-08", theirs={"lab": "US"})
