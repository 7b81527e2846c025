"""A share is taken apart into what adds up to it; what is not there is answered with what is."""

from datetime import date
from types import SimpleNamespace

import pytest

from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError
from pipeline.report.compare import as_text, compare, published_figures
from pipeline.report.explain import MOVED, Asked, changes, explain
from pipeline.report.headline import read_headline
from tests.report.scenario import Month, country_shares, dimensions, models, publication, write

JULY, AUGUST = date(2025, 7, 1), date(2025, 8, 1)
MONTHS = [
    Month(JULY, {"CN": 100, "US": 300, "unmapped": 0}),
    Month(AUGUST, {"CN": 250, "US": 150, "unmapped": 100}),
]


@pytest.fixture
def folder(tmp_path):
    return publication(tmp_path, MONTHS)


@pytest.mark.parametrize(
    ("asked", "suggested"),
    [
        (Asked("country", "China"), "no country 'China' is published: did you mean CN?"),
        (Asked("country", "united state"), "did you mean US?"),
        (Asked("country", "cn"), "did you mean CN?"),
        (Asked("organization", "Maker of CN"), "did you mean Makers of CN"),
        (Asked("country", "Atlantis"), "choose a member of country_shares"),
    ],
    ids=lambda asked: asked.member if isinstance(asked, Asked) else "",
)
def test_an_unknown_member_is_answered_with_the_likeliest_one(folder, asked, suggested):
    with pytest.raises(CensusError) as refused:
        explain(folder, asked)
    assert suggested in str(refused.value)


def test_a_month_that_is_not_published_is_answered_with_those_that_are(folder):
    with pytest.raises(CensusError, match=r"2025-06 is not published: .*\(2025-07 to 2025-08\)"):
        explain(folder, Asked("country", "CN", date(2025, 6, 1)))


def test_a_known_member_without_such_a_share_is_said_to_have_none(folder):
    with pytest.raises(CensusError, match="country 'CN' has no downloads in 2025-08"):
        explain(folder, Asked("country", "CN", AUGUST, population="all_unflagged"))


def test_nothing_published_is_one_sentence(tmp_path):
    for read in (lambda: explain(tmp_path, Asked("country", "CN")), lambda: read_headline(tmp_path, CATALOGUE.figures)):
        with pytest.raises(CensusError, match="nothing is published"):
            read()


def test_a_change_is_the_difference_of_what_stands_behind_both_shares(folder):
    now, before = (explain(folder, Asked("country", "CN", month, "month")) for month in (AUGUST, JULY))
    for level, rows in changes(now, before).items():
        assert [(row["now"], row["before"], row["change"]) for row in rows] == [(250, 100, 150)], level
    said = now.since_as_text(before, 5)
    assert said.startswith("CN: +150 downloads\n  now          CN: 250 downloads, 50.00% of all, 2025-08 (month)\n")
    assert "  before       CN: 100 downloads, 25.00% of all, 2025-07 (month)\n" in said
    assert "  population   new: models at most 365 days old at each month's close\n" in said
    assert "  denominator  500 downloads, nothing left out; before: 400 downloads, nothing left out\n" in said
    assert f"             +150  {'':32}  1 more" in now.since_as_text(before, 0)


def test_an_organisation_is_taken_apart_as_a_country_is(folder):
    found = explain(folder, Asked("organization", "Makers of CN"))
    assert (found.downloads, found.denominator) == (350, 900)
    assert {level: [row["downloads"] for row in rows if row["downloads"]] for level, rows in found.levels.items()} == {
        level: [350] for level in found.levels
    }


def test_the_largest_changes_come_first_whichever_way_they_go():
    def explained(**downloads):
        rows = [{"name": name, "downloads": amount} for name, amount in downloads.items()]
        return SimpleNamespace(levels={"models": rows})

    found = changes(explained(a=10, b=90, c=60, e=50), explained(a=0, b=40, c=140, d=50))["models"]
    assert [(row["name"], row["change"]) for row in found] == [("c", -80), ("b", 50), ("d", -50), ("e", 50), ("a", 10)]


def test_a_model_is_told_with_its_organisation_its_family_and_the_rule(folder):
    told = explain(folder, Asked("country", "CN")).as_text(5).splitlines()
    [line] = [line for line in told if "id-CN/model" in line]
    assert line.endswith("id-CN/model  of Makers of CN, family CN/base, registry: text")


def test_parts_that_do_not_add_up_to_the_share_are_refused(tmp_path):
    fewer = [Month(month.month, month.downloads | {"CN": month.downloads["CN"] - 1}) for month in MONTHS]
    write(tmp_path, [*dimensions(MONTHS), country_shares(MONTHS), *models(fewer)])
    with pytest.raises(CensusError, match="add up to"):
        explain(tmp_path, Asked("country", "CN"))


def test_an_organisation_that_moved_is_told_apart_where_its_country_changed(tmp_path):
    fewer = [Month(month.month, month.downloads | {"CN": month.downloads["CN"] - 1}) for month in MONTHS]
    organizations = dict(models(fewer))["organization_shares"]
    tables = dict(models(MONTHS)) | {"organization_shares": organizations}
    write(tmp_path, [*dimensions(MONTHS), country_shares(MONTHS), *tables.items()])
    rows = explain(tmp_path, Asked("country", "CN")).levels["organizations"]
    assert {row["name"]: row["downloads"] for row in rows} == {"Makers of CN": 348, MOVED: 2}


def test_an_explanation_lists_no_more_rows_than_asked_and_adds_up_the_rest(folder):
    found = explain(folder, Asked("country", "CN"))
    said = found.as_text(0)
    assert said.count("1 more") == len(found.levels)
    assert "100.00%  1 more" in said


def test_published_figures_are_compared_over_the_months_that_ours_hold_and_nothing_is_called_nothing(folder):
    comparisons, label = compare(folder, published_figures())
    printed = as_text(comparisons, label)
    assert label == ""
    assert printed.startswith("Published figures and ours\n")
    assert as_text(comparisons, "SYNTHETIC").startswith("SYNTHETIC: its figures are calibrated or invented. Published")
    china = next(one for one in comparisons if one.figure["subject"] == "Share of downloads: China")
    assert china.ours == pytest.approx(100 * 350 / 900)
    assert "2025-07 to 2025-08 (trailing_12_months, INCOMPLETE: 2 of 12 months; missing: 2024-09 to 2025-06)" in printed
    assert "(month), nothing measured; differences of cumulative counters" in printed
    for one in (found for found in comparisons if found.figure["our_month"]):
        wanted = one.figure["our_month"]
        says_another = any(f"{wanted} is not published" in text for text in one.differs)
        assert says_another == (wanted not in ("2025-07", "2025-08"))


def test_a_share_says_how_the_boundaries_of_its_months_are_known(folder):
    found = explain(folder, Asked("country", "CN"))
    assert {row["name"]: row["downloads"] for row in found.levels["boundaries"]} == {"bridged_freeze": 350}
    assert "over observations in which counters stood still" in found.as_text(3)
