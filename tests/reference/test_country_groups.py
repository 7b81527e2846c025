"""Groups of countries are declared lists whose members come and go on stated days."""

from datetime import date

import polars as pl

from pipeline.reference.countries import country_groups, groups_on
from pipeline.reference.registry_rules import COUNTRY_CODES, begins_before_the_last_has_ended


def members(group, day):
    return set(groups_on(day).filter(pl.col("group") == group)["country"])


def test_members_come_and_go_on_their_day():
    assert "GB" in members("eu", date(2020, 1, 31))
    assert "GB" not in members("eu", date(2020, 2, 1))
    assert len(members("eu", date(2025, 8, 1))) == 27
    assert len(members("asean", date(2025, 11, 1))) == 11


def test_every_country_exists_and_is_a_member_once_at_a_time():
    groups = country_groups()
    assert set(groups["country"]) <= COUNTRY_CODES
    membership = groups.with_columns(pl.concat_str("group", "country", separator=" ").alias("membership"))
    assert membership.filter(begins_before_the_last_has_ended("membership")).is_empty()


def test_a_country_is_in_one_income_group_at_a_time():
    for day in (date(2024, 8, 1), date(2025, 8, 1)):
        income = groups_on(day).filter(pl.col("kind") == "income")
        assert income["country"].is_unique().all()
        assert income.height > 190
