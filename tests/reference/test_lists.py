"""The reviewed lists say what holds when and how we know it, and what is made by them says by which version."""

import re
from datetime import date
from pathlib import Path
from unittest.mock import patch

import polars as pl
import pytest

from assets.expressions import holds_in_month
from pipeline import reference
from pipeline.definitions import CATALOGUE
from pipeline.errors import CensusError
from pipeline.reference.countries import country_groups
from pipeline.reference.incidents import flagged_models
from pipeline.reference.lists import language_tasks, list_digests, read_list
from pipeline.reference.registry_rules import COUNTRY_CODES, EVIDENCE_BASES, begins_before_the_last_has_ended

FOLDER = Path(reference.__file__).parent
WITHOUT_PART_IN_FIGURES = {"incidents.csv", "plausible_downloads.csv", "country_groups.csv"}
"""They comment on months, or are for other maps: a line more changes no figure."""


def test_every_list_behind_a_figure_is_named_by_a_table():
    named = {name for table in CATALOGUE.tables.values() for name in table.reviewed_lists}
    assert named == {path.name for path in FOLDER.glob("*.csv")} - WITHOUT_PART_IN_FIGURES


def test_a_list_is_known_by_its_digest():
    digests = list_digests("licences.csv", "renames.csv")
    assert list(digests) == ["licences.csv", "renames.csv"]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests.values())


@pytest.mark.parametrize("name", ["incidents", "flagged_models", "plausible_downloads"])
def test_every_fact_about_months_says_how_we_know_it(name):
    lines = read_list(f"{name}.csv")
    assert set(lines["basis"]) <= set(EVIDENCE_BASES)
    assert lines.select("evidence", "note").null_count().sum_horizontal().item() == 0


def test_names_are_listed_once():
    assert read_list("flagged_models.csv")["repository"].is_unique().all()
    tasks = language_tasks()
    assert "text-generation" in tasks
    assert len(tasks) == len(set(tasks))


def flagged(folder, month, *lines):
    header = "repository,first_month,last_month,kind,evidence,basis,note\n"
    (folder / "flagged_models.csv").write_text(header + "\n".join(lines))
    with patch("pipeline.reference.lists.FOLDER", folder):
        return flagged_models(month)


@pytest.mark.parametrize(("month", "holds"), [(8, False), (9, True), (10, True), (11, False)])
def test_a_repository_is_flagged_in_its_months_and_without_months_always(tmp_path, month, holds):
    lines = ["maker/burst,2024-09,2024-10,burst,,,", "ci/*,,,test_traffic,,,"]
    expected = ["maker/burst", "ci/*"] if holds else ["ci/*"]
    assert flagged(tmp_path, date(2024, month, 1), *lines) == expected


def test_a_month_that_is_none_is_refused_with_its_line(tmp_path):
    with pytest.raises(CensusError, match="flags 'maker/a' in a month that does not exist"):
        flagged(tmp_path, date(2025, 1, 1), "maker/a,2025-13,,burst,,,")


def groups_on(day):
    return country_groups().with_columns(month=pl.lit(day)).filter(holds_in_month())


@pytest.mark.parametrize(
    ("group", "day", "members", "has_britain"),
    [
        ("eu", date(2020, 1, 31), 28, True),
        ("eu", date(2020, 2, 1), 27, False),
        ("eu", date(2025, 8, 1), 27, False),
        ("asean", date(2025, 11, 1), 11, False),
    ],
)
def test_members_of_a_group_come_and_go_on_their_day(group, day, members, has_britain):
    found = groups_on(day).filter(pl.col("group") == group)["country"]
    assert (len(found), "GB" in found) == (members, has_britain)


def test_every_country_exists_is_a_member_once_at_a_time_and_in_one_income_group():
    groups = country_groups()
    assert set(groups["country"]) <= COUNTRY_CODES
    membership = groups.with_columns(pl.concat_str("group", "country", separator=" ").alias("membership"))
    assert membership.filter(begins_before_the_last_has_ended("membership")).is_empty()
    for day in (date(2024, 8, 1), date(2025, 8, 1)):
        income = groups_on(day).filter(pl.col("kind") == "income")
        assert income["country"].is_unique().all()
        assert income.height > 190
